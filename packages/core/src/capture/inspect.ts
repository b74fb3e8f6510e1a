import { fstatSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { isBackupError } from '../errors.ts'
import { fingerprintOf, type LogPosition } from './fingerprint.ts'
import { isIndexInUse } from './foreign-locks.ts'
import { attachLive, type LiveDatabase } from './live-database.ts'
import { probeHeader } from './probe-header.ts'
import type { Inspection } from './protocol.ts'
import { scanWal } from './scan-wal.ts'
import { openWal, readWalIndex } from './wal-files.ts'

/**
 * What the files say by their bytes, without SQLite.
 * @throws BackupError `DATABASE_ENCRYPTED`, `DATABASE_INVALID`, `DATABASE_UNREADABLE`
 */
export async function inspect(path: string, signal: AbortSignal): Promise<Inspection> {
  let live: LiveDatabase
  try {
    live = attachLive(path)
  } catch (error) {
    if (!isBackupError(error, 'DATABASE_MISSING')) throw error
    return { state: 'missing', sizeBytes: 0, walSizeBytes: 0, device: deviceOfFolder(path) }
  }
  try {
    const { device } = live
    const header = probeHeader(live)
    if (header === undefined) return { state: 'empty', sizeBytes: 0, walSizeBytes: 0, device }
    const { journalMode, pageSize } = header
    const fileBytes = fstatSync(live.fd).size
    if (journalMode === 'rollback') {
      const fingerprint = fingerprintOf(live, undefined)
      return { state: 'database', journalMode, pageSize, sizeBytes: fileBytes, walSizeBytes: 0, fingerprint, device }
    }
    const log = await readLog(live, signal)
    return {
      state: 'database',
      journalMode,
      pageSize,
      sizeBytes: Math.max(fileBytes, (log?.pages ?? 0) * pageSize),
      walSizeBytes: log?.sizeBytes ?? 0,
      fingerprint: fingerprintOf(live, log?.position),
      device,
    }
  } finally {
    live.detach()
  }
}

interface Log {
  readonly sizeBytes: number
  /** Pages of the database after the last commit; 0 when not known. */
  readonly pages: number
  readonly position: LogPosition | undefined
}

/** Where the log ends: by the wal-index when it is there and belongs to the log, else by following the frames. */
async function readLog(live: LiveDatabase, signal: AbortSignal): Promise<Log | undefined> {
  const wal = openWal(live)
  if (wal === undefined) return undefined
  try {
    const sizeBytes = statSync(`${live.realPath}-wal`, { throwIfNoEntry: false })?.size ?? 0
    const header = wal.header()
    // A -shm that nobody has open may be what a crash of the machine left, older than the log.
    const index = isIndexInUse(live) ? readWalIndex(live) : undefined
    if (
      index !== undefined &&
      (header === undefined || (index.salt1 === header.salt1 && index.salt2 === header.salt2))
    ) {
      return { sizeBytes, pages: index.nPage, position: index }
    }
    if (header === undefined) return { sizeBytes, pages: 0, position: undefined }
    let pages = 0
    let position: LogPosition = { ...header, mxFrame: 0, frameChecksum: header.checksum }
    await scanWal(wal, header, {
      onFrame({ number, commitPages, checksum }) {
        if (commitPages === 0) return
        pages = commitPages
        position = { ...header, mxFrame: number, frameChecksum: checksum }
      },
      signal,
    })
    return { sizeBytes, pages, position }
  } finally {
    wal.close()
  }
}

function deviceOfFolder(path: string): number {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const stats = statSync(folder, { throwIfNoEntry: false })
    if (stats !== undefined) return stats.dev
    if (folder === dirname(folder)) return 0
  }
}
