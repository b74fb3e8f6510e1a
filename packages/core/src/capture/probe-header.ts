import { BackupError } from '../errors.ts'
import { type DatabaseHeader, isHeaderProblem, looksEncrypted, parseDatabaseHeader } from '../wal/database-header.ts'
import type { LiveDatabase } from './live-database.ts'

/**
 * The header of a live database by its raw bytes, before any SQLite open: probing through SQLite makes an app that is
 * just creating the file see "database is locked". Undefined for a file of 0 bytes.
 * @throws BackupError `DATABASE_ENCRYPTED`, `DATABASE_INVALID`
 */
export function probeHeader(live: LiveDatabase): DatabaseHeader | undefined {
  const buffer = Buffer.alloc(4096)
  const length = live.readAt(buffer, 0)
  if (length === 0) return undefined
  const bytes = buffer.subarray(0, length)
  const header = parseDatabaseHeader(bytes)
  if (!isHeaderProblem(header)) return header
  if (header.problem === 'not-sqlite') {
    const kind = knownKind(bytes)
    if (kind !== undefined) {
      throw new BackupError('DATABASE_INVALID', `${live.path} is not a SQLite database: it is ${kind}.`, {
        hint: 'Name the database file itself.',
      })
    }
    if (looksEncrypted(bytes)) {
      throw new BackupError('DATABASE_ENCRYPTED', `${live.path} looks encrypted (SQLCipher or alike).`, {
        hint: 'Only plain SQLite files can be read here. Back it up with the library that holds its key, or decrypt it.',
      })
    }
    throw new BackupError('DATABASE_INVALID', `${live.path} is not a SQLite database: ${header.detail}.`, {
      hint: 'Check that the path names the database file itself.',
    })
  }
  throw new BackupError('DATABASE_INVALID', `The header of ${live.path} is corrupt: ${header.detail}.`, {
    hint: 'SQLite could not open it either. Restore a backup, or try: sqlite3 <file> .recover',
  })
}

const KINDS: readonly (readonly [magic: string, kind: string])[] = [
  ['\x1f\x8b', 'a gzip file'],
  ['\x28\xb5\x2f\xfd', 'a zstd file'],
  ['PK\x03\x04', 'a zip file'],
  ['age-encryption.org/', 'an age-encrypted file'],
  ['\x37\x7f\x06\x82', 'the -wal of a database'],
  ['\x18\xe2\x2d\x00', 'the -shm of a database'],
  ['\xd9\xd5\x05\xf9\x20\xa1\x63\xd7', 'the rollback journal of a database'],
]

function knownKind(bytes: Buffer): string | undefined {
  const start = bytes.toString('latin1', 0, 32)
  return KINDS.find(([magic]) => start.startsWith(magic))?.[1]
}
