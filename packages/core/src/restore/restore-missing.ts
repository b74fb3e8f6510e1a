import type { ResolvedDatabase } from '../config/config.ts'
import { revealKeys } from '../config/reveal.ts'
import { databaseOf, type EngineContext, reserveBytesOf, runOf } from '../context.ts'
import type { RestoreIfMissingResult } from '../engine-api.ts'
import { serializeError } from '../errors.ts'
import { throttled } from '../progress.ts'
import { openSpool } from '../spool/spool.ts'
import type { RestoreEvent } from './restore-database.ts'
import { restoreIfMissing } from './restore-if-missing.ts'

/** What a start does for each configured database, one after the other. The log says all of it. */
export async function restoreMissing(
  context: EngineContext,
  options: { readonly database?: string },
  signal: AbortSignal,
): Promise<readonly RestoreIfMissingResult[]> {
  const { config } = context
  const databases = options.database === undefined ? config.databases : [databaseOf(context, options.database)]
  const results: RestoreIfMissingResult[] = []
  for (const database of databases) {
    const result = config.enabled ? await restoreOne(context, database, signal) : off(database.name)
    for (const warning of result.warnings) config.log?.warn({ database: database.name }, warning)
    results.push(result)
  }
  return results
}

async function restoreOne(
  context: EngineContext,
  database: ResolvedDatabase,
  signal: AbortSignal,
): Promise<RestoreIfMissingResult> {
  const { bus, capture, work, config, storages, now } = context
  const { name, path } = database
  const event = runOf(context, name)
  const report = throttled(({ phase, doneBytes, totalBytes }: Extract<RestoreEvent, { kind: 'progress' }>) =>
    bus.emit('restore.progress', { ...event(), phase, doneBytes, totalBytes }),
  )
  try {
    const spoolDir = await openSpool(database)
    const { outcome, restored, warnings } = await restoreIfMissing({
      database: name,
      target: path,
      spoolDir,
      storages,
      capture,
      work,
      keys: await revealKeys(config),
      inFlight: { ranges: config.profile.partsInFlight, frames: config.profile.framesInFlight },
      reserveBytes: await reserveBytesOf(config, spoolDir),
      environment: config.environment,
      now,
      signal,
      onEvent: (progress) => {
        if (progress.kind === 'progress') report(progress.phase, progress)
      },
      onFallBack: ({ id, error }) => bus.emit('restore.fellBack', { ...event(), id, error: serializeError(error) }),
    })
    if (restored === undefined) return { database: name, outcome, warnings }
    const { check: _check, safetyCopy: _none, setAside: _files, ...result } = restored
    const { id, target, how, durationMs, pausedMs } = result
    bus.emit('restore.succeeded', { ...event(), id, target, how, durationMs, pausedMs })
    return { database: name, outcome, restored: result, warnings }
  } catch (error) {
    bus.emit('restore.failed', { ...event(), target: path, error: serializeError(error) })
    throw error
  }
}

function off(database: string): RestoreIfMissingResult {
  return { database, outcome: 'off', warnings: ['SQLITE_BACKUP=off: nothing is restored.'] }
}
