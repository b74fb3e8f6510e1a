import { findNewest } from '../catalog/find-newest.ts'
import { readManifest } from '../catalog/read-manifest.ts'
import { listRecords } from '../catalog/records.ts'
import { summarizeRecords } from '../catalog/summarize-records.ts'
import type { Schedule } from '../config/schedule-text.ts'
import type { EngineContext } from '../context.ts'
import { isBackupError, messageOf } from '../errors.ts'
import { verifyFound } from '../verify/verify-reference.ts'
import { slotAt } from './slot-times.ts'

/**
 * Reads the newest backup of each storage back and hashes it, unless that was done since the schedule's last moment: a
 * container that starts often must not download its backup as often. A bad one is told by its event; one that could not
 * be looked at is tried again.
 * @throws BackupError what the last storage that failed has thrown
 */
export async function verifyNewest(
  context: EngineContext,
  database: string,
  schedule: Schedule,
  signal: AbortSignal,
): Promise<void> {
  const slotMs = slotAt(schedule, context.now().getTime()) ?? 0
  let failure: unknown
  for (const { name, storage } of context.storages) {
    try {
      const entry = await findNewest(storage, database, { signal })
      if (entry === undefined) continue
      const { level, verifiedAt } = summarizeRecords(await listRecords(storage, entry, { signal }))
      if (level !== undefined && level !== 'stored' && verifiedAt !== undefined && verifiedAt.getTime() >= slotMs)
        continue
      const manifest = await readManifest(storage, entry, { signal })
      await verifyFound(context, { name, storage, value: { entry, manifest } }, 'checked', signal)
    } catch (error) {
      if (isBackupError(error, 'ABORTED')) throw error
      failure = error
      context.config.log?.warn(
        { database, storage: name },
        `The newest backup could not be checked: ${messageOf(error)}`,
      )
    }
  }
  if (failure !== undefined) throw failure
}
