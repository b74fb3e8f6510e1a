import { BackupError } from '../errors.ts'
import { parseBackupId } from './backup-id.ts'
import { parseBeforeMigration } from './before-migration.ts'
import { parseTime } from './parse-time.ts'

// A file name may have 255 bytes, and the rest of a catalog key needs about 70 of them.
const MAX_ESCAPED_BYTES = 150

/**
 * A name as one segment of a key: letters, digits, `_`, `-` and `.` stand for themselves, every other byte of its UTF-8
 * is `~` and two hex digits. So no name can leave its folder, and none needs escaping in a URL.
 */
export function escapeName(name: string): string {
  let text = ''
  for (const byte of Buffer.from(name.normalize('NFC'))) {
    const character = String.fromCharCode(byte)
    // A leading dot would make `..` possible and hides files.
    const isPlain = /[A-Za-z0-9_-]/.test(character) || (character === '.' && text !== '')
    text += isPlain ? character : `~${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return text
}

/** The name behind {@link escapeName}; undefined when it never wrote this. */
export function unescapeName(segment: string): string | undefined {
  if (!/^(?:[A-Za-z0-9_.-]|~[0-9A-F]{2})+$/.test(segment)) return undefined
  const bytes = segment.replaceAll(/~([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  const name = Buffer.from(bytes, 'latin1').toString('utf8')
  return escapeName(name) === segment ? name : undefined
}

/** Why a database cannot have this name; undefined when it can. */
export function whyBadDatabaseName(name: string): string | undefined {
  return whyBadName(name)
}

/** Why a backup cannot have this name; undefined when it can. Nothing that could be mistaken for another reference. */
export function whyBadBackupName(name: string): string | undefined {
  if (name === 'latest' || parseBackupId(name) !== undefined) return 'it means another backup'
  if (parseTime(name) !== undefined) return 'it is a time'
  if (parseBeforeMigration(name) !== undefined) return 'it means the backup before a migration'
  return whyBadName(name)
}

/** @throws BackupError `USAGE` */
export function assertBackupName(name: string): void {
  const reason = whyBadBackupName(name)
  if (reason !== undefined) throw new BackupError('USAGE', `A backup cannot be named ${quoted(name)}: ${reason}.`)
}

function whyBadName(name: string): string | undefined {
  if (name === '') return 'it is empty'
  if (name !== name.trim()) return 'it begins or ends with a space'
  if (!name.isWellFormed()) return 'it is not well-formed Unicode'
  if (/\p{Cc}/u.test(name)) return 'it has control characters'
  if (escapeName(name).length > MAX_ESCAPED_BYTES) {
    return `it is longer than ${MAX_ESCAPED_BYTES} letters and digits, where each byte of another character counts for three`
  }
  return undefined
}

function quoted(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 59)}…` : name)
}
