import { setTimeout as delay } from 'node:timers/promises'
import { backupDatabase } from '../backup/backup-database.ts'
import type { ResolvedDatabase } from '../config/config.ts'
import type { EngineContext } from '../context.ts'
import { isBackupError, messageOf } from '../errors.ts'
import { orAborted } from '../storage/abort.ts'

/** Parts of the time a stop has, after which the last backup is no longer stored, and no longer made. */
const STORE_UNTIL = 0.8
const MAKE_UNTIL = 0.9
const STILL_AFTER_MS = 60

/**
 * The last backup of each database that has changed since the one before. Never throws and never takes longer than
 * `deadlineMs`: what is not stored by then waits in the spool for the next start, and the log says so.
 */
export async function backupBeforeStop(context: EngineContext, deadlineMs: number): Promise<void> {
  const { config, storages } = context
  if (!config.enabled || storages.length === 0) return
  const storeUntil = new AbortController()
  const makeUntil = new AbortController()
  const timers = [
    setTimeout(() => storeUntil.abort(), deadlineMs * STORE_UNTIL),
    setTimeout(() => makeUntil.abort(), deadlineMs * MAKE_UNTIL),
  ]
  await Promise.all(
    config.databases.map(async (database) => {
      const log = (message: string): void => config.log?.warn({ database: database.name }, message)
      try {
        // Whatever hangs, and whether or not it listens to a signal: the stop goes on.
        await orAborted(backupOne(context, database, deadlineMs, storeUntil.signal, makeUntil.signal), makeUntil.signal)
      } catch (error) {
        log(
          isBackupError(error, 'ABORTED')
            ? `There was no time for a last backup of ${database.name}: a stop may take ${deadlineMs} ms.`
            : `The last backup of ${database.name}: ${messageOf(error)}${hintOf(error)}`,
        )
      }
    }),
  )
  for (const timer of timers) clearTimeout(timer)
}

async function backupOne(
  context: EngineContext,
  { name, path }: ResolvedDatabase,
  lockWaitMs: number,
  storeUntil: AbortSignal,
  signal: AbortSignal,
): Promise<void> {
  // The app has just closed its database, and timestamps move in ticks: looked at too soon, the file could not be
  // recognised as unchanged at the next stop. The capture process needs this time to start anyway.
  await Promise.all([context.capture.hello(undefined, { signal }), delay(STILL_AFTER_MS)])
  // An app that never made its database has nothing to lose: that is no failed backup.
  const { state } = await context.capture.inspect({ path }, { signal })
  if (state !== 'database') return
  await backupDatabase(
    context,
    name,
    { tier: 'shutdown', trigger: 'shutdown', ifChanged: true, lockWaitMs, storeUntil },
    signal,
  )
}

function hintOf(error: unknown): string {
  return isBackupError(error) && error.hint !== undefined ? ` ${error.hint}` : ''
}
