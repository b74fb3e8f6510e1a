import { accessSync, constants } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { BackupError, isBackupError } from '../errors.ts'
import type { BodyWriter } from './body-writer.ts'
import { captureFrozen } from './capture-frozen.ts'
import { type Captured, type CaptureTask, maxStoredBytes } from './capture-task.ts'
import { closeWithoutCheckpoint, isUnchanged } from './close-quietly.ts'
import { fingerprintOf } from './fingerprint.ts'
import { isIndexInUse, isOpenElsewhere, watchForWaiters } from './foreign-locks.ts'
import { imageBytes } from './image.ts'
import type { LiveDatabase } from './live-database.ts'
import { pinWal, type WalPin } from './pin-wal.ts'
import { pumpImage } from './pump-image.ts'
import { openRawCopy } from './raw-copy.ts'
import { openWalImage, type WalImage } from './read-wal-image.ts'
import { headerFacts, schemaFacts } from './source-facts.ts'
import { testPause } from './test-pause.ts'
import { hasNoLog } from './wal-files.ts'

const PIN_ATTEMPTS = 50

/**
 * Captures a WAL database under a pin. Undefined when it is not in WAL mode (any more).
 * @throws BackupError `DATABASE_BUSY`, `DATABASE_REPLACED`, `DATABASE_UNREADABLE`, `SPOOL_NO_SPACE`, `ABORTED`
 */
export async function captureWal(task: CaptureTask): Promise<Captured | undefined> {
  const { live, emit } = task
  const hasLog = !hasNoLog(live.realPath)
  const isAbandoned = hasLog && isOpenElsewhere(live) === false
  if (hasLog && !mayWrite(`${live.realPath}-shm`)) requireReliableIndex(live)
  const connection = live.connect()
  let pinned: { pin: WalPin; image: WalImage } | undefined
  try {
    pinned = await pinImage(task, connection)
  } catch (error) {
    // No permission to make a -shm: still the whole database, if there is no log.
    if (isBackupError(error, 'DATABASE_UNREADABLE') && hasNoLog(live.realPath)) return captureFrozen(task)
    throw error
  }
  if (pinned === undefined) return undefined
  const { pin, image } = pinned
  try {
    const began = performance.now()
    const facts = await headerFacts(image, live.path)
    const source = {
      ...facts,
      journalMode: 'wal' as const,
      ...schemaFacts(pin.connection, live.path, facts.schemaCookie),
    }
    const fingerprint = fingerprintOf(live, pin.index)
    const plainSizeBytes = imageBytes(image)
    const at = pin.at.toISOString()
    const body = await task.startBody(plainSizeBytes)
    emit({ kind: 'pinned', at, source, plainSizeBytes, maxStoredBytes: maxStoredBytes(plainSizeBytes) })
    await testPause('pinned', task.signal)
    const pinnedMs = await encodeWithin(task, image, body, async () => {
      await testPause('read', task.signal)
      live.checkSame()
      image.checkUndisturbed()
      pin.release()
      return performance.now() - began
    })
    return { source, at, pinnedMs, blockedMs: 0, fingerprint, body }
  } finally {
    pin.release()
    image.close()
    if (isAbandoned && isUnchanged(live, pin.index)) closeWithoutCheckpoint(live, connection)
  }
}

/**
 * Encodes the image under the pin. As soon as that threatens to take longer than `maxPinMs`, or the app waits for the pin,
 * the rest is copied raw, at the disk's speed, the pin let go, and the copy encoded.
 */
async function encodeWithin(
  { live, params, signal }: CaptureTask,
  image: WalImage,
  body: BodyWriter,
  unpin: () => Promise<number>,
): Promise<number> {
  const began = performance.now()
  const isSomebodyWaiting = watchForWaiters(live)
  const isTooSlow = (nextPage: number): boolean => {
    const elapsedMs = performance.now() - began
    // The first moments say little: threads are still being filled.
    if (elapsedMs < params.maxPinMs / 10) return false
    return (elapsedMs * image.pageCount) / (nextPage - 1) > params.maxPinMs
  }
  const nextPage =
    params.maxPinMs <= 0
      ? 1
      : await pumpImage(image, body.write, {
          firstPage: 1,
          afterChunk: (next) => (isTooSlow(next) || isSomebodyWaiting() ? 'stop' : 'go on'),
          signal,
        })
  if (nextPage > image.pageCount) return unpin()
  const copy = await openRawCopy(image, nextPage, params, signal)
  if (copy === undefined) {
    // No room for a raw copy: a longer pin is the smaller evil.
    await pumpImage(image, body.write, { firstPage: nextPage, signal })
    return unpin()
  }
  try {
    const pinnedMs = await unpin()
    await pumpImage(copy, body.write, { firstPage: nextPage, signal })
    return pinnedMs
  } finally {
    await copy.close()
  }
}

async function pinImage(
  { live, pageSize, signal }: CaptureTask,
  connection: DatabaseSync,
): Promise<{ pin: WalPin; image: WalImage } | undefined> {
  for (let attempt = 0; attempt < PIN_ATTEMPTS; attempt++) {
    const pin = await pinWal(live, connection, signal)
    if (pin === undefined) return undefined
    try {
      const image = await openWalImage(live, pin.index, { pageSize, isBackfilled: pin.isBackfilled, signal })
      if (image !== undefined) return { pin, image }
    } catch (error) {
      pin.release()
      throw error
    }
    // A log that held nothing newer than our mark may be reset under us; the next pin sees the new one.
    pin.release()
  }
  live.checkSame()
  throw new BackupError('DATABASE_REPLACED', `The -wal and -shm of ${live.path} do not belong together.`, {
    hint: 'Something other than SQLite deleted or replaced one of them. Restart the app, then try again.',
  })
}

/**
 * Without write permission we cannot make SQLite rebuild a -shm that a crash of the machine left behind: it may be older
 * than the log. With a live user it is right.
 */
function requireReliableIndex(live: LiveDatabase): void {
  if (isIndexInUse(live)) return
  throw new BackupError('DATABASE_UNREADABLE', `${live.path} has a -wal that this process may not recover.`, {
    hint: 'Reading it takes write permission on the file, its folder and its -wal and -shm. Run as the user that owns them.',
  })
}

function mayWrite(file: string): boolean {
  try {
    accessSync(file, constants.W_OK)
    return true
  } catch (error) {
    // A missing one will be made by SQLite, or refused.
    return error instanceof Error && 'code' in error && error.code === 'ENOENT'
  }
}
