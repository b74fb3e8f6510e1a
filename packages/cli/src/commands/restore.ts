import type { RestoreOptions, RestorePlan, SqliteBackup } from '@sqlite-backup/core'
import { Command } from 'commander'
import { usageError } from '../cli-error.ts'
import type { CommandContext, GlobalFlags, Outcome, RunCommand } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { type KeyFlags, type ReadFlags, flags as shared } from '../flags.ts'
import { withExamples } from '../help.ts'
import { renderPlan, renderRestored } from '../render/restore.ts'

interface RestoreFlags extends GlobalFlags, ReadFlags, KeyFlags {
  readonly output?: string
  readonly overwrite?: true
  readonly acceptDamaged?: true
  readonly acceptOtherEnvironment?: true
  readonly wait?: string
  readonly dryRun?: true
  readonly yes?: true
}

export function restoreCommand(run: RunCommand): Command {
  const command = new Command('restore')
    .summary('bring a database back')
    .description(
      'Restores a backup: into a new file with --output, else into the configured database, also while the app has it open. The target is the old or the new database at any moment, never something between.',
    )
    .argument('[backup]', 'latest, an id, a name, or a time: the newest backup up to then')
    .addOption(shared.from())
    .addOption(shared.db())
    .option('-o, --output <file>', 'write a new file instead')
    .option('--overwrite', 'replace the file of --output')
    .addOption(shared.identity())
    .addOption(shared.passphraseFile())
    .option('--accept-damaged', 'restore though the database was damaged when it was backed up')
    .option('--accept-other-environment', 'restore a backup of another environment')
    .option('--wait <duration>', 'how long to wait for another run on the same database (default: 60s)')
    .addOption(shared.dryRun())
    .addOption(shared.yes())
    .action((reference: string | undefined, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<RestoreFlags>()
      return run('restore', flags, (context) => restore(reference, flags, context))
    })
  return withExamples(command, [
    ['The newest, into a new file', 'sqlite-backup restore latest --from ./backups --db app -o ./app.db'],
    ['What would happen?', 'sqlite-backup restore latest --dry-run'],
    ['As it was yesterday at two, in place', 'sqlite-backup restore "2026-11-20 14:00" --db app'],
    ['By the name it was given', 'sqlite-backup restore before-import --db app --yes'],
  ])
}

async function restore(reference: string | undefined, flags: RestoreFlags, context: CommandContext): Promise<Outcome> {
  const { terminal } = context
  const engine = await context.openEngine({
    db: flags.db,
    from: flags.from,
    identity: flags.identity,
    passphraseFile: flags.passphraseFile,
  })
  const chosen = reference ?? (await chooseBackup(engine, flags, context))
  const options = await restoreOptions(flags, context)
  const plan = await engine.planRestore(chosen, options)
  const planLines = renderPlan(plan, context.now(), terminal.out)
  const planned = { planned: plan }
  if (flags.dryRun) {
    const end = terminal.out.dim('Nothing was changed.')
    return { exitCode: exitCodes.ok, json: planned, lines: [...planLines, end], quietLines: [plan.id] }
  }
  if (changesSomething(plan) && !flags.yes) {
    if (!terminal.canAsk) {
      terminal.print(terminal.isJson || terminal.isQuiet ? [] : planLines)
      throw usageError(`${plan.target} was not touched: nobody is here to say yes.`, 'Run it again with --yes.')
    }
    terminal.say(planLines.join('\n'))
    const { confirm } = await import('../ask.ts')
    await confirm(`Restore ${plan.target} from ${plan.id}?`, context)
  }
  // The id, not the reference: what was shown is what is restored, even if `latest` has moved on.
  const result = await engine.restore(plan.id, options)
  return {
    exitCode: exitCodes.ok,
    json: { restored: result },
    lines: renderRestored(result, terminal.out),
    quietLines: [result.target],
  }
}

/** A file that was not there before needs no permission, and neither does one named with `--overwrite`. */
function changesSomething({ how }: RestorePlan): boolean {
  return how === 'online' || how === 'replace'
}

async function restoreOptions(flags: RestoreFlags, { signal }: CommandContext): Promise<RestoreOptions> {
  const { parseDuration } = await import('@sqlite-backup/core')
  return {
    signal,
    ...(flags.db === undefined ? {} : { database: flags.db }),
    ...(flags.output === undefined ? {} : { output: flags.output }),
    ...(flags.wait === undefined ? {} : { lockWaitMs: parseDuration(flags.wait) }),
    overwrite: flags.overwrite ?? false,
    acceptDamaged: flags.acceptDamaged ?? false,
    acceptOtherEnvironment: flags.acceptOtherEnvironment ?? false,
  }
}

/** On a terminal, which of the newest; elsewhere it has to be said. */
async function chooseBackup(engine: SqliteBackup, flags: RestoreFlags, context: CommandContext): Promise<string> {
  if (!context.terminal.canAsk) {
    throw usageError('Restore which backup?', 'Say `latest`, an id, a name or a time; `sqlite-backup list` shows them.')
  }
  const { chooseFromList, chooseFromNames } = await import('../ask.ts')
  const { signal } = context
  const databases = flags.db === undefined ? await engine.listDatabases({ signal }) : [flags.db]
  const database = databases.length > 1 ? await chooseFromNames('Which database?', databases, context) : databases[0]
  const page = await engine.list(database, { limit: 20, signal })
  return await chooseFromList('Which backup?', page.items, context)
}
