import { BackupError } from '../errors.ts'
import { type DatabaseHeader, isHeaderProblem, looksEncrypted, parseDatabaseHeader } from '../wal/database-header.ts'
import type { LiveDatabase } from './live-database.ts'
import { hasNoLog } from './wal-files.ts'

/**
 * The header of a live database by its raw bytes, before any SQLite open: probing through SQLite makes an app that is
 * just creating the file see "database is locked". Undefined for a file of 0 bytes.
 * With a log beside it, SQLite is in WAL mode whatever the header says (pagerOpenWalIfPresent in pager.c), as with the
 * `-wal` that stayed when the file was exchanged for another.
 * @throws BackupError `DATABASE_ENCRYPTED`, `DATABASE_INVALID`
 */
export function probeHeader(live: LiveDatabase): DatabaseHeader | undefined {
  const buffer = Buffer.alloc(4096)
  const length = live.readAt(buffer, 0)
  if (length === 0) return undefined
  const bytes = buffer.subarray(0, length)
  const header = parseDatabaseHeader(bytes)
  if (!isHeaderProblem(header)) return hasNoLog(live.realPath) ? header : { ...header, journalMode: 'wal' }
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
  if (header.problem === 'unknown-format') {
    throw new BackupError(
      'DATABASE_INVALID',
      `${live.path} is in a format that SQLite does not know: ${header.detail}.`,
      {
        hint: 'A branch of SQLite (wal2, MVCC) keeps it so, or its header is damaged. What wrote it may switch it back: PRAGMA journal_mode=WAL',
      },
    )
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
