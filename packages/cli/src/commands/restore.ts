import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Comparison, RestoreOptions, RestorePlan } from '@sqlite-backup/core'
import { Command } from 'commander'
import { chooseDatabase, noBackups } from '../choose-database.ts'
import { CliError, usageError } from '../cli-error.ts'
import type { CommandContext, GlobalFlags, Outcome, RunCommand } from '../command.ts'
import { exitCodeOf, exitCodes } from '../exit-codes.ts'
import { type KeyFlags, type ReadFlags, flags as shared } from '../flags.ts'
import { withExamples } from '../help.ts'
import type { EngineFlags, OpenedEngine } from '../open-engine.ts'
import { readDuration } from '../read-duration.ts'
import { renderComparison, renderPlan, renderRestored } from '../render/restore.ts'
import { unlock } from '../unlock.ts'
import { whoIsHere } from '../who-is-here.ts'

interface RestoreFlags extends GlobalFlags, ReadFlags, KeyFlags {
  readonly beforeMigration?: string
  readonly output?: string
  readonly overwrite?: true
  readonly acceptDamaged?: true
  readonly acceptOtherEnvironment?: true
  readonly wait?: string
  readonly dryRun?: true
  readonly compare?: true
  readonly breakGlass?: string
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
    .option('--before-migration <tag>', 'the newest backup made before this migration was applied')
    .option('-o, --output <file>', 'write a new file instead')
    .option('--overwrite', 'replace the file of --output')
    .addOption(shared.identity())
    .addOption(shared.passphraseFile())
    .option('--accept-damaged', 'restore though the database was damaged when it was backed up')
    .option('--accept-other-environment', 'restore a backup of another environment')
    .option('--wait <duration>', 'how long to wait for another run on the same database (default: 60s)')
    .addOption(shared.dryRun())
    .option('--compare', 'with --dry-run: compare rows and schema however large both are (default: up to 1 GB)')
    .option('--break-glass <reason>', 'restore in place alone, though the admin wants two people: it is written down')
    .addOption(shared.yes())
    .action((reference: string | undefined, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<RestoreFlags>()
      return run('restore', flags, (context) => restore(reference, flags, context))
    })
  return withExamples(command, [
    ['The newest, into a new file', 'sqlite-backup restore latest --from ./backups --db app -o ./app.db'],
    ['What would happen?', 'sqlite-backup restore latest --dry-run'],
    ['As it was yesterday at two, in place', 'sqlite-backup restore "2026-11-20 14:00" --db app'],
    ['As it was before a migration', 'sqlite-backup restore --before-migration 0007_add_plan --db app'],
    ['By the name it was given', 'sqlite-backup restore before-import --db app --yes'],
  ])
}

async function restore(reference: string | undefined, flags: RestoreFlags, context: CommandContext): Promise<Outcome> {
  const { terminal } = context
  const engineFlags = { db: flags.db, from: flags.from, identity: flags.identity, passphraseFile: flags.passphraseFile }
  const opened = await context.openEngine(engineFlags)
  const database = await targetDatabase(opened, flags, context)
  const chosen = referenceOf(reference, flags) ?? (await askForBackup(opened, database, context))
  const options = await restoreOptions(opened, database, flags, context)
  const plan = await opened.engine.planRestore(chosen, options)
  if (plan.refusal !== undefined) throw new CliError(plan.refusal, exitCodeOf(plan.refusal.code))
  if (flags.dryRun) {
    const compared = await compare(plan, { ...options, ...flags }, opened, context)
    const lines = [
      ...renderPlan(plan, context.now(), terminal.outColumns, terminal.out),
      ...('tables' in compared ? renderComparison(compared, terminal.out) : compared.notes),
      terminal.out.dim('Nothing was changed.'),
    ]
    const json = { planned: plan, ...('tables' in compared ? { comparison: compared } : {}) }
    return { exitCode: exitCodes.ok, json, lines, quietLines: [plan.id] }
  }
  const glass = await breakGlass(plan, flags, opened, database)
  const { engine } = await unlock(opened, plan.manifest, engineFlags satisfies EngineFlags, context)
  await askForPermission(plan, flags, context)
  // The id, not the reference: what was shown is what is restored, even if `latest` has moved on.
  const restored = await engine.restore(plan.id, { ...options, ...glass })
  const result = { ...restored, warnings: [...(plan.warnings ?? []), ...restored.warnings] }
  return {
    exitCode: exitCodes.ok,
    json: { restored: result },
    lines: renderRestored(result, terminal.out),
    quietLines: [result.target],
  }
}

// What a dry run reads and copies without being told to.
const MAX_COMPARED_BYTES = 1_000_000_000

/** What would be lost, table by table. That it cannot be found out is a sentence: the plan is worth reading all the same. */
async function compare(
  plan: RestorePlan,
  { output, database, compare: isWanted }: Pick<RestoreFlags & RestoreOptions, 'output' | 'database' | 'compare'>,
  { engine, chosen }: OpenedEngine,
  { signal }: CommandContext,
): Promise<Comparison | { readonly notes: readonly string[] }> {
  const { isBackupError } = await import('@sqlite-backup/core')
  if (output !== undefined || database === undefined) return { notes: [] }
  try {
    const limit = isWanted ? {} : { maxBytes: MAX_COMPARED_BYTES }
    return await engine.compare(plan.id, { ...chosen, database, ...limit, signal })
  } catch (error) {
    if (!isBackupError(error) || error.code === 'ABORTED') throw error
    return { notes: [`Rows could not be compared: ${error.message}`] }
  }
}

/**
 * Where the admin wants two people for a restore in place, one at the command line has to say that they act alone, and why.
 * Whoever may run this on the machine could replace the file anyway: this makes it seen, not impossible.
 */
async function breakGlass(
  plan: RestorePlan,
  { output, breakGlass: reason }: RestoreFlags,
  { engine }: OpenedEngine,
  database: string,
): Promise<Pick<RestoreOptions, 'breakGlass' | 'actor'>> {
  if (output !== undefined) return {}
  const { isApprovalRequired } = await import('@sqlite-backup/core')
  if (!(await isApprovalRequired(engine, database))) return {}
  if (reason === undefined || reason.trim() === '') {
    throw usageError(
      `A restore of ${database} in place needs two people: ask for it on the admin page. ${plan.target} was not touched.`,
      'When nobody can approve: --break-glass "why". It is written down where everybody sees it. A new file (--output) needs nobody.',
    )
  }
  return { actor: whoIsHere(), breakGlass: { reason: reason.trim() } }
}

function referenceOf(reference: string | undefined, { beforeMigration }: RestoreFlags): string | undefined {
  if (beforeMigration === undefined) return reference
  if (reference !== undefined) throw usageError('A backup and --before-migration exclude each other.')
  return `before-migration:${beforeMigration}`
}

/** In place, only a configured database will do: without a config nobody knows where it belongs. */
async function targetDatabase(
  opened: OpenedEngine,
  { output }: RestoreFlags,
  context: CommandContext,
): Promise<string> {
  const database = await chooseDatabase(opened, context)
  if (output !== undefined && isFolder(output)) {
    throw usageError(`${output} is a folder.`, `Name the file: --output ${join(output, `${database}.db`)}`)
  }
  if (output === undefined && !opened.engine.databases.includes(database)) {
    throw usageError(
      `Restore ${database} to where? It is in no config.`,
      'Name a new file with --output, or the database with --db ./data/app.db',
    )
  }
  return database
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** A file that was not there before needs no permission. */
async function askForPermission(plan: RestorePlan, flags: RestoreFlags, context: CommandContext): Promise<void> {
  const { terminal } = context
  const changesSomething = plan.how === 'online' || plan.how === 'replace'
  if (!changesSomething || flags.yes) return
  if (terminal.canAsk) {
    terminal.say(`${renderPlan(plan, context.now(), terminal.errColumns, terminal.err).join('\n')}\n`)
    const { confirm } = await import('../ask.ts')
    return await confirm(`Restore ${plan.target}?`, false, context)
  }
  if (!terminal.isJson && !terminal.isQuiet)
    terminal.print(renderPlan(plan, context.now(), terminal.outColumns, terminal.out))
  throw usageError(`${plan.target} was not touched: nobody is here to say yes.`, 'Run it again with --yes.')
}

async function restoreOptions(
  { chosen }: OpenedEngine,
  database: string,
  flags: RestoreFlags,
  { signal }: CommandContext,
): Promise<RestoreOptions> {
  return {
    ...chosen,
    database,
    ...(flags.output === undefined ? {} : { output: flags.output }),
    ...(flags.wait === undefined ? {} : { lockWaitMs: await readDuration('--wait', flags.wait) }),
    overwrite: flags.overwrite ?? false,
    acceptDamaged: flags.acceptDamaged ?? false,
    acceptOtherEnvironment: flags.acceptOtherEnvironment ?? false,
    signal,
  }
}

/** On a terminal, which of the newest; elsewhere it has to be said. */
async function askForBackup(opened: OpenedEngine, database: string, context: CommandContext): Promise<string> {
  const { engine, chosen } = opened
  if (!context.terminal.canAsk) {
    throw usageError('Restore which backup?', 'Say `latest`, an id, a name or a time; `sqlite-backup list` shows them.')
  }
  const { chooseBackup } = await import('../ask.ts')
  const page = await engine.list(database, { ...chosen, limit: 20, signal: context.signal })
  if (page.items.length === 0) throw noBackups(opened)
  return await chooseBackup('Which backup?', page.items, context)
}
