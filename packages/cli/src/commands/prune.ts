import type { PruneResult } from '@sqlite-backup/core'
import { Command } from 'commander'
import { allDatabases } from '../choose-database.ts'
import { usageError } from '../cli-error.ts'
import type { CommandContext, GlobalFlags, Outcome, RunCommand } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { type ReadFlags, flags as shared } from '../flags.ts'
import { withExamples } from '../help.ts'
import type { OpenedEngine } from '../open-engine.ts'
import { plural, renderPruned, renderPrunePlan } from '../render/prune.ts'

interface PruneFlags extends GlobalFlags, ReadFlags {
  readonly now?: true
  readonly dryRun?: true
  readonly yes?: true
}

export function pruneCommand(run: RunCommand): Command {
  const command = new Command('prune')
    .alias('cleanup')
    .summary('delete what no rule keeps')
    .description(
      [
        'Deletes the backups that no rule of `retention` keeps. It plans first, and on a terminal it shows the plan and',
        'asks. With --yes the first deletion under a policy is announced a day ahead. The newest backup, the newest',
        'checked one, kept ones and both tips of a fork always stay.',
      ].join('\n'),
    )
    .argument('[database]', 'the same as --db (default: all that are configured)')
    .addOption(shared.from())
    .addOption(shared.db())
    .option('--now', 'do not wait for the day of notice')
    .addOption(shared.dryRun())
    .addOption(shared.yes())
    .action((database: string | undefined, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<PruneFlags>()
      return run('prune', flags, (context) => prune({ ...flags, db: flags.db ?? database }, context))
    })
  return withExamples(command, [
    ['What would go, and what stays?', 'sqlite-backup prune --dry-run'],
    ['Look, then say yes', 'sqlite-backup prune app'],
    ['From cron', 'sqlite-backup prune --yes --quiet'],
  ])
}

async function prune(flags: PruneFlags, context: CommandContext): Promise<Outcome> {
  const { terminal, signal, now } = context
  const opened = await context.openEngine({ db: flags.db, from: flags.from })
  const databases = await allDatabases(opened, signal)
  const plans = await pruneAll(databases, opened, { dryRun: true, signal })
  if (plans.some(({ storages }) => storages.some(({ outcome }) => outcome === 'off'))) {
    throw usageError(
      'Nothing was deleted: no `retention` is stated.',
      "Write retention: 'default' or a policy of your own into the config, or set SQLITE_BACKUP_RETENTION=default.",
    )
  }
  const isNothing = plans.every(({ storages }) => storages.every(({ outcome }) => outcome === 'nothing'))
  if (flags.dryRun || isNothing) {
    const lines = plans.flatMap((plan) => renderPrunePlan(plan, now(), terminal.out))
    return outcomeOf(plans, flags.dryRun ? [...lines, terminal.out.dim('Nothing was changed.')] : lines, 'planned')
  }
  const hasSaidYes = await askForPermission(plans, flags, context)
  const results = await pruneAll(databases, opened, { now: hasSaidYes || (flags.now ?? false), signal })
  const lines = results.flatMap((result) => renderPruned(result, terminal.out))
  return outcomeOf(results, lines, 'pruned')
}

async function pruneAll(
  databases: readonly string[],
  { engine, chosen }: OpenedEngine,
  options: { readonly dryRun?: boolean; readonly now?: boolean; readonly signal: AbortSignal },
): Promise<readonly PruneResult[]> {
  const from = chosen.from === undefined ? {} : { from: chosen.from }
  const results: PruneResult[] = []
  for (const database of databases) results.push(await engine.prune(database, { ...from, ...options }))
  return results
}

/** True when a person has seen the plan and said yes; then nobody has to be given notice. */
async function askForPermission(
  plans: readonly PruneResult[],
  flags: PruneFlags,
  context: CommandContext,
): Promise<boolean> {
  if (flags.yes) return false
  const { terminal } = context
  if (!terminal.canAsk) {
    throw usageError('Nothing was deleted: nobody is here to say yes.', 'Look with --dry-run, then run it with --yes.')
  }
  for (const plan of plans) terminal.say(`${renderPrunePlan(plan, context.now(), terminal.err).join('\n')}\n`)
  const count = plans.reduce((sum, { storages }) => sum + storages.reduce((of, { remove }) => of + remove.length, 0), 0)
  const { confirm } = await import('../ask.ts')
  await confirm(`Delete ${plural(count)} for ever?`, false, context)
  return true
}

function outcomeOf(results: readonly PruneResult[], lines: readonly string[], name: 'planned' | 'pruned'): Outcome {
  const failed = results.some(({ storages }) => storages.some(({ outcome }) => outcome === 'failed'))
  return {
    exitCode: failed ? exitCodes.failed : exitCodes.ok,
    json: { [name]: results },
    lines,
    // The ids that go, or have gone.
    quietLines: results.flatMap(({ storages }) =>
      storages.flatMap(({ outcome, remove }) =>
        outcome === 'planned' || outcome === 'deleted' ? remove.map(({ id }) => id) : [],
      ),
    ),
  }
}
