import { BackupError, isBackupError, messageOf } from '../errors.ts'
import { SQLITE, sqliteCode } from '../wal/result-code.ts'

/** What the file system said about a database file, as our error. */
export function fileError(error: unknown, path: string): BackupError {
  if (isBackupError(error)) return error
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new BackupError('DATABASE_MISSING', `There is no database at ${path}.`, {
      hint: 'Check the path. If the app creates it later, the next run will find it.',
    })
  }
  const hint =
    code === 'EACCES' || code === 'EPERM'
      ? 'This process may not read it. Run as the user that owns the database.'
      : 'The file system could not deliver the file.'
  return new BackupError('DATABASE_UNREADABLE', `${path} cannot be read: ${messageOf(error)}`, { hint, cause: error })
}

/** What SQLite said about a live database, as our error. */
export function sqliteError(error: unknown, path: string): BackupError {
  if (isBackupError(error)) return error
  const cause = { cause: error }
  switch (sqliteCode(error)) {
    case SQLITE.BUSY:
    case SQLITE.LOCKED:
    case SQLITE.PROTOCOL:
      return new BackupError('DATABASE_BUSY', `${path} is locked by another connection.`, {
        hint: 'An app with PRAGMA locking_mode=EXCLUSIVE, or a very long transaction in rollback-journal mode, keeps everyone out. Use WAL and the normal locking mode.',
        ...cause,
      })
    case SQLITE.READONLY:
    case SQLITE.CANTOPEN:
      return new BackupError('DATABASE_UNREADABLE', `SQLite cannot open ${path}: ${messageOf(error)}`, {
        hint: 'Reading a live database takes write permission on the file, its folder and its -wal and -shm. Run as the user that owns them.',
        ...cause,
      })
    case SQLITE.CORRUPT:
    case SQLITE.NOTADB:
      return new BackupError('DATABASE_INVALID', `SQLite cannot read ${path}: ${messageOf(error)}`, {
        hint: 'The file is damaged or encrypted. Check it with: sqlite3 <file> "PRAGMA integrity_check"',
        ...cause,
      })
    case SQLITE.IOERR:
      return new BackupError('DATABASE_UNREADABLE', `The disk failed on ${path}: ${messageOf(error)}`, cause)
    default:
      return fileError(error, path)
  }
}
