import { fstatSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { BackupError } from '../errors.ts'
import { type Captured, type CaptureTask, maxStoredBytes } from './capture-task.ts'
import { fingerprintOf } from './fingerprint.ts'
import { type Image, imageBytes } from './image.ts'
import { pumpImage } from './pump-image.ts'
import { fileState, isQuietBetween, isRacy } from './quiet.ts'
import { headerFacts } from './source-facts.ts'
import { hasNoLog } from './wal-files.ts'

/**
 * Captures a WAL database that this process may only read, as on a read-only volume: SQLite cannot make the -shm it
 * needs for a pin. Without a log the file is the database, and it must not change while it is read.
 * @throws BackupError `DATABASE_BUSY` when it does change, `SPOOL_NO_SPACE`, `ABORTED`
 */
export async function captureFrozen({
  live,
  params,
  pageSize,
  startBody,
  signal,
  emit,
}: CaptureTask): Promise<Captured> {
  let before = fileState(live)
  while (isRacy(before)) {
    await delay(20, undefined, { signal })
    before = fileState(live)
  }
  const image: Image = {
    pageSize,
    pageCount: Math.ceil(fstatSync(live.fd).size / pageSize),
    read(target, firstPage) {
      target.fill(0, live.readAt(target, (firstPage - 1) * pageSize))
      return Promise.resolve()
    },
  }
  const at = new Date().toISOString()
  const source = { ...(await headerFacts(image, params.path)), journalMode: 'wal' as const }
  const fingerprint = fingerprintOf(live, undefined)
  const plainSizeBytes = imageBytes(image)
  const body = await startBody(plainSizeBytes)
  emit({ kind: 'pinned', at, source, plainSizeBytes, maxStoredBytes: maxStoredBytes(plainSizeBytes) })
  await pumpImage(image, body.write, { firstPage: 1, signal })
  live.checkSame()
  if (!isQuietBetween(before, fileState(live)) || !hasNoLog(live.realPath)) {
    throw new BackupError(
      'DATABASE_BUSY',
      `${params.path} was written while it was read, and this process may not lock it.`,
      {
        hint: 'Reading a live database takes write permission on the file, its folder and its -wal and -shm. Run as the user that owns them.',
      },
    )
  }
  return { source, at, pinnedMs: 0, blockedMs: 0, fingerprint, body }
}
