import { existsSync } from 'node:fs'
import type { GuardOptions, MigrationRolledBackError, SerializedError } from '@sqlite-backup/core'
import { Command, Option } from 'commander'
import { usageError } from '../cli-error.ts'
import type { CommandContext, GlobalFlags, Outcome, RunCommand } from '../command.ts'
import { exitCodeOf, exitCodes } from '../exit-codes.ts'
import { type KeyFlags, flags as shared } from '../flags.ts'
import { findMigrations } from '../guard/find-migrations.ts'
import { listOption, withExamples } from '../help.ts'
import type { OpenedEngine } from '../open-engine.ts'
import { readDuration } from '../read-duration.ts'
import { renderError } from '../render/error.ts'
import { type GuardedDatabase, renderGuarded } from '../render/guard.ts'
import { runChild } from '../run-child.ts'

interface GuardFlags extends GlobalFlags, KeyFlags {
  readonly db?: string
  readonly all?: true
  readonly to?: readonly string[]
  readonly allowLoss?: readonly string[]
  readonly rowLoss: NonNullable<GuardOptions['rowLoss']>
  readonly migrations?: string
  readonly keepInterrupted?: true
  readonly wait?: string
}

export function guardCommand(run: RunCommand): Command {
  const command = new Command('guard')
    .summary('run a migration, and undo it when it loses rows')
    .description(
      'Backs up, runs a command that migrates, and compares: when the command fails, or rows are gone that may not go, the database is rolled back under the apps that have it open.',
    )
    .argument('<command...>', 'what to run, after --; {file} and {name} stand for the database')
    .addOption(shared.db())
    .option('--all', 'run it for each configured database, and stop at the first that fails')
    .addOption(listOption('--to <storage>', 'without a config: a folder, or s3://bucket/prefix; repeatable'))
    .addOption(listOption('--allow-loss <table>', 'a table that may lose rows; repeatable'))
    .addOption(
      new Option('--row-loss <what>', 'what a loss of rows leads to')
        .choices(['rollback', 'fail', 'warn'])
        .default('rollback'),
    )
    .option(
      '--migrations <folder>',
      'SQL migrations of Drizzle or Prisma, to be read before (found by itself for both)',
    )
    .option('--keep-interrupted', 'after a guard that was killed: keep the database as it is')
    .option('--wait <duration>', 'how long to wait for another guard on the same database (default: 10m)')
    .addOption(shared.identity())
    .addOption(shared.passphraseFile())
    .action((words: readonly string[], _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<GuardFlags>()
      return run('guard', flags, (context) => guard(words, flags, context))
    })
  return withExamples(command, [
    ['Drizzle', 'sqlite-backup guard -- npx drizzle-kit migrate'],
    ['Prisma', 'sqlite-backup guard -- npx prisma migrate deploy'],
    ['Without a config', 'sqlite-backup guard --db ./app.db --to ./backups -- node migrate.js'],
    ['A table that may lose rows', 'sqlite-backup guard --allow-loss sessions -- npx knex migrate:latest'],
    ['Every tenant', 'sqlite-backup guard --all -- node migrate.js {file}'],
  ])
}

async function guard(words: readonly string[], flags: GuardFlags, context: CommandContext): Promise<Outcome> {
  const opened = await context.openEngine({
    db: flags.db,
    to: flags.to,
    identity: flags.identity,
    passphraseFile: flags.passphraseFile,
  })
  if (opened.to !== undefined) {
    throw usageError(
      '--to is for a run without a config.',
      'The backup before a migration goes to every configured storage.',
    )
  }
  const names = databasesOf(opened, flags)
  const done: GuardedDatabase[] = []
  for (const database of names) {
    const outcome = await guardOne(database, words, opened, flags, context)
    done.push(outcome)
    if (outcome.error !== undefined || context.signal.aborted) break
  }
  const notRun = names.slice(done.length)
  if (context.signal.aborted) {
    // How it ended is told by the signal; what became of the databases is not.
    for (const line of renderGuarded(done, notRun, context.terminal.err)) context.terminal.say(line)
    throw context.signal.reason
  }
  const failed = done.find(({ error }) => error !== undefined)?.error
  return {
    exitCode: failed === undefined ? exitCodes.ok : exitCodeOf(failed.code),
    json: { databases: done, notRun },
    lines: renderGuarded(done, notRun, context.terminal.out),
    quietLines: done.flatMap(({ backupId }) => (backupId === undefined ? [] : [backupId])),
  }
}

function databasesOf({ engine, chosen }: OpenedEngine, { all, db }: GuardFlags): readonly string[] {
  const { databases } = engine
  if (all && db !== undefined) throw usageError('--all and --db exclude each other.')
  if (databases.length === 0) {
    throw usageError('Which database?', 'Name it with --db ./app.db, or write a config: `sqlite-backup init`.')
  }
  if (all) return databases
  if (chosen.database !== undefined) return [chosen.database]
  if (databases.length === 1) return databases
  throw usageError(`Which database? There are ${databases.join(', ')}.`, 'Choose one with --db, or take --all.')
}

async function guardOne(
  database: string,
  words: readonly string[],
  { engine, files }: OpenedEngine,
  flags: GuardFlags,
  { terminal, signal, cwd, env }: CommandContext,
): Promise<GuardedDatabase> {
  const { BackupError, serializeError } = await import('@sqlite-backup/core')
  const lockWait = flags.wait === undefined ? {} : { lockWaitMs: await readDuration('--wait', flags.wait) }
  const file = files.get(database) ?? ''
  const filled = words.map((word) => word.replaceAll('{file}', file).replaceAll('{name}', database))
  // While the command runs Ctrl+C is for it to hear; then it is judged like any other failure.
  const stop = new AbortController()
  let isRunning = false
  const onAbort = (): void => {
    if (!isRunning) stop.abort(signal.reason)
  }
  signal.addEventListener('abort', onAbort)
  if (signal.aborted) onAbort()
  try {
    const { value: _none, ...result } = await engine.guard(
      database,
      async ({ runsIn }) => {
        isRunning = true
        const environment = { ...env, GUARD_DATABASE: database, GUARD_FILE: file }
        await runChild({
          words: filled,
          cwd,
          env: environment,
          keepsStdoutClean: terminal.isJson || terminal.isQuiet,
          signal,
          onStart: runsIn,
        })
      },
      {
        what: filled.join('\0'),
        ...planOf(filled, cwd, flags, (sentence) => terminal.warn(`${database}: ${sentence}`)),
        rowLoss: flags.rowLoss,
        allowLoss: flags.allowLoss ?? [],
        interrupted: flags.keepInterrupted ? 'keep' : 'decide',
        ...lockWait,
        onWarning: (sentence) => terminal.warn(`${database}: ${sentence}`),
        signal: stop.signal,
      },
    )
    // A command that made it is well; a path that was misspelt has guarded nothing.
    if (result.outcome === 'nothing-to-lose' && !existsSync(file)) {
      throw new BackupError('DATABASE_MISSING', `There is no database at ${file}, before the command or after it.`, {
        hint: 'Nothing was guarded. Check the path: the command may have migrated another file.',
      })
    }
    return result
  } catch (error) {
    const serialized = inFlags(serializeError(error))
    terminal.printError(renderError(serialized, terminal.errColumns, terminal.err))
    if (serialized.code !== 'MIGRATION_ROLLED_BACK') return { database, outcome: 'failed', error: serialized }
    const rolledBack = error as MigrationRolledBackError
    const { backupId, safetyBackup, lost, reasons, isRestored, durationMs, pausedMs, warnings } = rolledBack
    return {
      database,
      outcome: 'rolled-back',
      error: serialized,
      backupId,
      ...(safetyBackup === undefined ? {} : { safetyBackup }),
      lost,
      reasons,
      isRestored,
      warnings,
      durationMs,
      pausedMs,
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** The option of the API is a flag here. */
function inFlags(error: SerializedError): SerializedError {
  return error.hint === undefined
    ? error
    : { ...error, hint: error.hint.replace('in `allowLoss`', 'with --allow-loss') }
}

/** What is told of SQL migrations before a command applies them, where they can be found. */
function planOf(
  words: readonly string[],
  cwd: string,
  { migrations: named }: GuardFlags,
  warn: (sentence: string) => void,
): Pick<GuardOptions, 'plan' | 'bookkeeping'> {
  const found = findMigrations({ words, cwd, named })
  if (found === undefined) return {}
  const { folder, isNamed, migrationsTable } = found
  return {
    ...(migrationsTable === undefined ? {} : { bookkeeping: [migrationsTable] }),
    async plan(before) {
      const { planMigrations } = await import('@sqlite-backup/drizzle/folder')
      try {
        return await planMigrations(folder, before, found)
      } catch (error) {
        if (isNamed) throw error
        warn(`${(error as Error).message} Name it with --migrations to have it read before.`)
        return undefined
      }
    },
  }
}
