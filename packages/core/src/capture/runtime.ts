import { DatabaseSync } from 'node:sqlite'
import { BackupError } from '../errors.ts'

/** The first SQLite without the WAL-reset bug: https://sqlite.org/wal.html#the_wal_reset_bug */
const MIN_SQLITE = '3.51.3'

export function sqliteVersion(): string {
  const connection = new DatabaseSync(':memory:')
  try {
    return String(connection.prepare('SELECT sqlite_version() AS version').get()?.version)
  } finally {
    connection.close()
  }
}

/** Why this process must not touch a live database, if so. */
export function runtimeProblem(platform: NodeJS.Platform, sqlite: string): BackupError | undefined {
  if (platform !== 'linux' && platform !== 'darwin') {
    return new BackupError('UNSUPPORTED_PLATFORM', `sqlite-backup does not run on ${platform}.`, {
      hint: 'It needs Linux or macOS: the locks that keep a live database safe work differently elsewhere.',
    })
  }
  if (isOlder(sqlite, MIN_SQLITE)) {
    return new BackupError('SQLITE_TOO_OLD', `This Node has SQLite ${sqlite}; it takes ${MIN_SQLITE} or newer.`, {
      hint: 'Older ones can lose a commit when a checkpoint meets a reset of the WAL. Use Node 22.22.3, 24.15.0 or newer.',
    })
  }
  return undefined
}

function isOlder(version: string, than: string): boolean {
  const [a, b] = [version.split('.').map(Number), than.split('.').map(Number)]
  for (let i = 0; i < 3; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}
