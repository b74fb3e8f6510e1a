import type { KeepResult } from '@sqlite-backup/core'
import { Command } from 'commander'
import { chooseDatabase } from '../choose-database.ts'
import type { CommandContext, GlobalFlags, Outcome, RunCommand } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { type ReadFlags, flags as shared } from '../flags.ts'
import { withExamples } from '../help.ts'
import { type Style, symbols } from '../render/style.ts'

interface KeepFlags extends GlobalFlags, ReadFlags {
  readonly reason?: string
}

export function keepCommand(run: RunCommand): Command {
  const command = new Command('keep')
    .summary('exempt a backup from pruning')
    .description('Keeps a backup, however old it gets and whatever `retention` says, in every storage that has it.')
    .argument('<backup>', 'latest, an id, a name, or a time')
    .addOption(shared.from())
    .addOption(shared.db())
    .option('--reason <text>', 'why, for those who find it later')
    .action((reference: string, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<KeepFlags>()
      return run('keep', flags, (context) => keep(reference, flags, context))
    })
  return withExamples(command, [
    ['For the audit', 'sqlite-backup keep 20261120T030000Z-k3v7qa2m --reason "audit 2026"'],
  ])
}

export function unkeepCommand(run: RunCommand): Command {
  const command = new Command('unkeep')
    .summary('give a kept backup back to the retention policy')
    .description('Lets a prune delete a backup that was kept, or that stayed as the end of a branch of a fork.')
    .argument('<backup>', 'latest, an id, a name, or a time')
    .addOption(shared.from())
    .addOption(shared.db())
    .action((reference: string, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<KeepFlags>()
      return run('unkeep', flags, (context) => unkeep(reference, flags, context))
    })
  return withExamples(command, [['The audit is over', 'sqlite-backup unkeep 20261120T030000Z-k3v7qa2m']])
}

async function keep(reference: string, flags: KeepFlags, context: CommandContext): Promise<Outcome> {
  const { engine, options } = await openFor(flags, context)
  const reason = flags.reason === undefined ? {} : { reason: flags.reason }
  return outcomeOf(await engine.keep(reference, { ...options, ...reason }), 'kept', context.terminal.out)
}

async function unkeep(reference: string, flags: KeepFlags, context: CommandContext): Promise<Outcome> {
  const { engine, options } = await openFor(flags, context)
  return outcomeOf(await engine.unkeep(reference, options), 'no longer kept', context.terminal.out)
}

async function openFor({ db, from }: KeepFlags, context: CommandContext) {
  const opened = await context.openEngine({ db, from })
  const database = await chooseDatabase(opened, context)
  const options = { ...opened.chosen, database, signal: context.signal }
  return { engine: opened.engine, options }
}

function outcomeOf(result: KeepResult, done: string, style: Style): Outcome {
  const failed = result.storages.filter(({ ok }) => !ok)
  return {
    exitCode: failed.length === 0 ? exitCodes.ok : exitCodes.failed,
    json: result,
    lines: result.storages.map(({ storage, ok, error }) =>
      ok
        ? `${style.good(symbols.good)} ${style.accent(result.id)}  ${storage}  ${done}`
        : `${style.bad(symbols.bad)} ${style.accent(result.id)}  ${storage}  not ${done}: ${error?.message}`,
    ),
    quietLines: [],
  }
}
