import { Command } from 'commander'
import type { CommandContext, GlobalFlags, Outcome, RunCommand } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { type ReadFlags, flags as shared } from '../flags.ts'
import { withExamples } from '../help.ts'
import { readDuration } from '../read-duration.ts'
import { renderProblems, renderStatus } from '../render/status.ts'

interface StatusFlags extends GlobalFlags, ReadFlags {
  readonly maxAge?: string
}

export function statusCommand(run: RunCommand): Command {
  const command = new Command('status')
    .summary('how safe the data is')
    .description(
      'Says per database and storage how old the newest backup is and how well it is proven. Exits with 3\nwhen something is not healthy. A read-only key is enough.',
    )
    .argument('[database]', 'the same as --db')
    .addOption(shared.from())
    .addOption(shared.db())
    .option('--max-age <duration>', 'unhealthy when the newest is older, like 26h')
    .action((database: string | undefined, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<StatusFlags>()
      return run('status', flags, (context) => status({ ...flags, db: flags.db ?? database }, context))
    })
  return withExamples(command, [
    ['Everything that is configured', 'sqlite-backup status'],
    ['From another machine, as an alarm', 'sqlite-backup status --from s3://bucket/prefix --max-age 26h --quiet'],
  ])
}

async function status(flags: StatusFlags, context: CommandContext): Promise<Outcome> {
  const { terminal, signal } = context
  const maxAge = flags.maxAge === undefined ? {} : { maxAgeMs: await readDuration('--max-age', flags.maxAge) }
  const { engine, chosen } = await context.openEngine({ db: flags.db, from: flags.from })
  const found = await engine.status({ ...chosen, ...maxAge, signal })
  return {
    exitCode: found.healthy ? exitCodes.ok : exitCodes.unhealthy,
    json: found,
    lines: renderStatus(found, terminal.out),
    quietLines: found.healthy ? [] : renderProblems(found, terminal.out),
  }
}
