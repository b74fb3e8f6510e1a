import { readLineage } from '../catalog/read-lineage.ts'
import type { ResolvedDatabase, RestoreAtStart } from '../config/config.ts'
import { revealKeys } from '../config/reveal.ts'
import { databaseOf, type EngineContext, reserveBytesOf, runOf } from '../context.ts'
import type { RestoreIfMissingOptions, RestoreIfMissingResult, RestoreResult } from '../engine-api.ts'
import { BackupError, messageOf, serializeError } from '../errors.ts'
import { throttled } from '../progress.ts'
import { paceOf, type RestoreEvent } from '../restore/restore-database.ts'
import { restoreIfMissing } from '../restore/restore-if-missing.ts'
import { restoreReference } from '../restore/restore-reference.ts'
import { placeOf } from '../spool/place-of.ts'
import { openSpool } from '../spool/spool.ts'
import { readSpoolState } from '../spool/state.ts'
import { inWords } from './look-around.ts'
import { planRestoreOnce } from './plan-restore-once.ts'
import { readStanding } from './read-standing.ts'
import { restoreOnce, settleOnce } from './restore-once.ts'

/** What a start does for each configured database, one after the other. The log says all of it. */
export async function startDatabases(
  context: EngineContext,
  options: RestoreIfMissingOptions,
  signal: AbortSignal,
): Promise<readonly RestoreIfMissingResult[]> {
  const { config } = context
  refuseOther('restore', options.restore, ['if-missing', 'if-behind', false])
  refuseOther('onMissingBackup', options.onMissingBackup, ['start-empty', 'fail'])
  const databases = options.database === undefined ? config.databases : [databaseOf(context, options.database)]
  for (const warning of config.warnings) config.log?.warn({}, warning)
  const results: RestoreIfMissingResult[] = []
  const once = config.enabled && context.storages.length > 0 ? config.restoreOnce : undefined
  const notMeant = once === undefined ? new Set<string>() : await planRestoreOnce(context, once, signal)
  for (const database of databases) {
    const mine = notMeant.has(database.name) ? undefined : once
    const result = config.enabled ? await startOne(context, database, mine, options, signal) : off(database.name)
    const fields = { database: database.name, outcome: result.outcome }
    if (result.restored !== undefined) {
      const { id, storage, durationMs } = result.restored
      config.log?.info(fields, `${database.name} was restored from ${id} in ${storage} (${Math.round(durationMs)} ms).`)
    }
    for (const warning of result.warnings) config.log?.warn(fields, warning)
    if (once !== undefined && mine === undefined) {
      config.log?.info(fields, `SQLITE_BACKUP_RESTORE=${once} is of another database: ${database.name} stays.`)
    }
    results.push(result)
  }
  // Not before all that are meant are done: until then one must still be found.
  if (once !== undefined && options.database === undefined) {
    for (const database of databases) if (notMeant.has(database.name)) await settleOnce(database, once)
  }
  return results
}

/** What is misspelt would be taken for the default. */
function refuseOther(option: string, value: unknown, choices: readonly (string | boolean)[]): void {
  if (value === undefined || choices.some((choice) => choice === value)) return
  const shown = choices.map((choice) => JSON.stringify(choice)).join(', ')
  throw new BackupError('USAGE', `${option} is one of ${shown}, and not ${JSON.stringify(value)}.`)
}

async function startOne(
  context: EngineContext,
  database: ResolvedDatabase,
  once: string | undefined,
  options: RestoreIfMissingOptions,
  signal: AbortSignal,
): Promise<RestoreIfMissingResult> {
  const { config } = context
  const { name, path } = database
  const { restore = config.restore, onMissingBackup = config.onMissingBackup } = options
  const spoolDir = await openSpool(database)
  const notes = await notesOn(context, name, spoolDir)
  if (once !== undefined) {
    const restored = await restoreOnce(context, database, once, signal)
    if (restored !== undefined) {
      const warnings = [
        `SQLITE_BACKUP_RESTORE=${once}: restored ${restored.id}. It is done once.`,
        ...restored.warnings,
      ]
      return { database: name, outcome: 'restored', restored, warnings: [...notes, ...warnings] }
    }
  }
  if (restore === false) return { database: name, outcome: 'skipped', warnings: notes }

  const event = runOf(context, name)
  try {
    const result = await restoreMissing(context, database, spoolDir, onMissingBackup, signal)
    const warnings = [...notes, ...result.warnings]
    if (result.outcome !== 'present') return { ...result, warnings }
    const caughtUp = await catchUp(context, database, restore, signal)
    return {
      ...result,
      ...(caughtUp.restored === undefined ? {} : { outcome: 'restored', restored: caughtUp.restored }),
      warnings: [...warnings, ...caughtUp.warnings],
    }
  } catch (error) {
    context.bus.emit('restore.failed', { ...event(), target: path, error: serializeError(error) })
    throw error
  }
}

/** What should be said at every start. */
async function notesOn(
  { config, storages }: EngineContext,
  name: string,
  spoolDir: string,
): Promise<readonly string[]> {
  const notes: string[] = []
  if (storages.length === 0) notes.push(`No storage is configured: ${name} is not backed up.`)
  const { lastBackupMs } = await readSpoolState(spoolDir)
  const { ms, by } = config.stop.deadline
  if (lastBackupMs !== undefined && lastBackupMs > ms && config.stop.backup !== false) {
    const who = by === 'config' || by === 'default' ? '' : ` (${by})`
    notes.push(
      `The newest backup of ${name} took ${seconds(lastBackupMs)}, but a stop may take ${seconds(ms)}${who}: what is not stored by then waits in the spool for the next start. Let the platform wait longer, and set stop.deadline.`,
    )
  }
  return notes
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

async function restoreMissing(
  context: EngineContext,
  { name, path }: ResolvedDatabase,
  spoolDir: string,
  onMissingBackup: 'start-empty' | 'fail',
  signal: AbortSignal,
): Promise<RestoreIfMissingResult> {
  const { bus, capture, work, config, storages, now } = context
  const event = runOf(context, name)
  const report = throttled(({ phase, doneBytes, totalBytes }: Extract<RestoreEvent, { kind: 'progress' }>) =>
    bus.emit('restore.progress', { ...event(), phase, doneBytes, totalBytes }),
  )
  const { outcome, restored, warnings } = await restoreIfMissing({
    database: name,
    target: path,
    spare: config.databases.map((each) => each.path),
    spoolDir,
    storages,
    onMissingBackup,
    capture,
    work,
    keys: await revealKeys(config),
    ...paceOf(config.profile),
    reserveBytes: await reserveBytesOf(config, (await placeOf(path)).folder),
    spoolReserveBytes: await reserveBytesOf(config, spoolDir),
    environment: config.environment,
    now,
    signal,
    onEvent: (progress) => {
      if (progress.kind === 'progress') report(progress.phase, progress)
    },
    onWaiting: (storage) =>
      config.log?.warn({ database: name, storage }, `${name} is missing: still waiting for ${storage}.`),
    onFallBack: ({ id, error }) => bus.emit('restore.fellBack', { ...event(), id, error: serializeError(error) }),
  })
  if (restored === undefined) return { database: name, outcome, warnings }
  const { check: _check, safetyCopy: _none, setAside: _files, ...result } = restored
  const { id, target, how, durationMs, pausedMs } = result
  bus.emit('restore.succeeded', { ...event(), id, target, how, durationMs, pausedMs })
  return {
    database: name,
    outcome,
    restored: result,
    warnings: [...warnings, ...(await rivalsOf(context, name, result))],
  }
}

/** When two writers went on from one backup, somebody has to choose: that it was not us, silently, is said. */
async function rivalsOf(
  context: EngineContext,
  database: string,
  { id, storage: from }: RestoreResult,
): Promise<readonly string[]> {
  const storage = context.storages.find(({ name }) => name === from)
  if (storage === undefined) return []
  try {
    const { rivals } = await readLineage(storage.storage, database)
    if (rivals.length === 0) return []
    context.bus.emit('lineage.forked', { ...runOf(context, database)(), storage: from, tips: rivals })
    const others = rivals.filter((each) => each !== id).join(', ')
    return [
      `The history of ${database} has forked: two engines wrote side by side. ${id} was restored because it is the newest; what is only in ${others} is not in it. \`sqlite-backup restore ${rivals.find((each) => each !== id)} -o other.db\` shows it.`,
    ]
  } catch (error) {
    return [`Whether the history of ${database} has forked could not be read from ${from}: ${messageOf(error)}`]
  }
}

/** `if-behind`: others went on from where this database stands, and it has nothing of its own. */
async function catchUp(
  context: EngineContext,
  database: ResolvedDatabase,
  restore: RestoreAtStart,
  signal: AbortSignal,
): Promise<{ readonly restored?: RestoreResult; readonly warnings: readonly string[] }> {
  const warnings: string[] = []
  if (restore !== 'if-behind') return { warnings }
  for (const storage of context.storages) {
    try {
      const report = await readStanding(context, database, storage, signal)
      if (report.standing === 'current' || report.newest === undefined) continue
      if (report.standing !== 'behind') {
        warnings.push(inWords(database.name, report))
        continue
      }
      const from = { database: database.name, from: storage.name }
      const restored = await restoreReference(context, report.newest.id, from, signal)
      return { restored, warnings: [...warnings, ...restored.warnings] }
    } catch (error) {
      signal.throwIfAborted()
      // The database that is here is whole: an app that can run should.
      warnings.push(`Whether ${storage.name} holds something newer could not be acted on: ${messageOf(error)}`)
    }
  }
  return { warnings }
}

function off(database: string): RestoreIfMissingResult {
  return { database, outcome: 'off', warnings: ['SQLITE_BACKUP=off: nothing is restored and nothing is backed up.'] }
}
