import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BackupError } from '../errors.ts'

/**
 * The file behind what a user gave as a database: a path, `file:…` or `sqlite:…`, without its `?parameters`.
 * Undefined for the URL of another kind of database.
 */
export function databaseFile(text: string, cwd: string): string | undefined {
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]+):(.*)$/is.exec(text) ?? []
  if (scheme === undefined) return resolve(cwd, text)
  if (!['file', 'sqlite', 'sqlite3'].includes(scheme.toLowerCase())) return undefined
  const path = rest.replace(/[?#].*$/s, '')
  // `sqlite:///data/app.db` and `file:///data/app.db` are absolute; `sqlite://app.db` and `file:./app.db` are not.
  if (path.startsWith('///')) return fileURLToPath(`file://${path.slice(2)}`)
  const relative = path.startsWith('//') ? path.slice(2) : path
  // A lone `%` is part of the name, as SQLite sees it too: https://sqlite.org/uri.html
  return resolve(cwd, /%(?![0-9a-f]{2})/i.test(relative) ? relative : decodeURIComponent(relative))
}

/** The name of a database that has none: its file's, without the ending. */
export function databaseNameOf(file: string): string {
  return basename(file).replace(/\.(?:db|db3|sqlite|sqlite3)$/i, '')
}

/** @throws BackupError `CONFIG_INVALID` unless it is a file */
export function requireDatabaseFile(text: string, cwd: string, name: string): string {
  if (/^(?:file:)?:memory:/.test(text)) {
    throw new BackupError('CONFIG_INVALID', `Database "${name}" is in memory, and there is no file to back up.`, {
      hint: 'Give it a path.',
    })
  }
  const file = databaseFile(text, cwd)
  if (file !== undefined) return file
  throw new BackupError('CONFIG_INVALID', `Database "${name}" is not a file: ${text.replace(/\/\/[^/]*@/, '//…@')}`, {
    hint: 'Only local SQLite files can be backed up.',
  })
}
