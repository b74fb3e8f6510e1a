import { closeSync, fstatSync, openSync, statSync } from 'node:fs'
import { parseWalHeader, type WalHeader, walHeaderBytes } from '../wal/wal-header.ts'
import { parseWalIndexHeader, type WalIndexHeader, walIndexHeaderBytes } from '../wal/wal-index.ts'
import { nativeOrder } from '../wal/words.ts'
import { type LiveDatabase, readFully } from './live-database.ts'

/** One look at the wal-index header; undefined when there is no `-shm` or a writer is changing it at this instant. */
export function readWalIndex(live: LiveDatabase): WalIndexHeader | undefined {
  const fd = live.shmFd()
  if (fd === undefined) return undefined
  const bytes = Buffer.allocUnsafe(walIndexHeaderBytes)
  return readFully(fd, bytes, 0) < bytes.length ? undefined : parseWalIndexHeader(bytes)
}

/** How many frames are already in the database file (`nBackfill`): https://sqlite.org/walformat.html */
export function readBackfilled(live: LiveDatabase): number {
  const fd = live.shmFd()
  const bytes = Buffer.alloc(4)
  if (fd === undefined || readFully(fd, bytes, walIndexHeaderBytes) < 4) return 0
  return nativeOrder === 'LE' ? bytes.readUInt32LE(0) : bytes.readUInt32BE(0)
}

/** Whether the database file alone is the whole database: no log beside it. */
export function hasNoLog(realPath: string): boolean {
  return (statSync(`${realPath}-wal`, { throwIfNoEntry: false })?.size ?? 0) === 0
}

/** The `-wal` file. SQLite holds no locks on it, so it may be opened and closed at will. */
export interface WalFile {
  readonly inode: number
  header(): WalHeader | undefined
  readAt(target: Buffer, position: number): number
  close(): void
}

/** Undefined when there is none. */
export function openWal(live: LiveDatabase): WalFile | undefined {
  let fd: number
  try {
    fd = openSync(`${live.realPath}-wal`, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  return {
    inode: fstatSync(fd).ino,
    header() {
      const bytes = Buffer.allocUnsafe(walHeaderBytes)
      return parseWalHeader(bytes.subarray(0, readFully(fd, bytes, 0)))
    },
    readAt: (target, position) => readFully(fd, target, position),
    close: () => closeSync(fd),
  }
}
