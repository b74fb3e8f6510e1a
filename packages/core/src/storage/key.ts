import { BackupError } from '../errors.ts'

/** @throws BackupError `KEY_INVALID` unless `key` is one that every storage can hold. */
export function assertKey(key: string): void {
  const reason = whyBadText(key) ?? whyBadSegments(key.split('/'))
  if (reason !== undefined) throw invalid('key', key, reason)
}

/** True for a key that every storage can hold. */
export function isKey(text: string): boolean {
  return whyBadText(text) === undefined && whyBadSegments(text.split('/')) === undefined
}

/** @throws BackupError `KEY_INVALID` unless some key can start with `prefix`. */
export function assertPrefix(prefix: string): void {
  // The last segment may be the beginning of a name: ".." is a step upwards only with a slash behind it.
  const folders = prefix.split('/').slice(0, -1)
  const reason = whyBadText(prefix) ?? whyBadSegments(folders)
  if (reason !== undefined) throw invalid('prefix', prefix, reason)
}

function whyBadText(text: string): string | undefined {
  if (!text.isWellFormed()) return 'it is not well-formed Unicode'
  if (Buffer.byteLength(text) > 900) return 'it is longer than 900 bytes'
  // Neither the XML listings of S3 nor a terminal carry them.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(text)) return 'it has control characters'
  return undefined
}

function whyBadSegments(segments: readonly string[]): string | undefined {
  for (const segment of segments) {
    if (segment === '') return 'it has an empty segment'
    if (segment === '.' || segment === '..') return `it has the segment "${segment}"`
    // The longest file name that Linux and macOS take.
    if (Buffer.byteLength(segment) > 255) return 'it has a segment longer than 255 bytes'
  }
  return undefined
}

function invalid(what: 'key' | 'prefix', text: string, reason: string): BackupError {
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
  return new BackupError('KEY_INVALID', `${shown} is not a valid ${what}: ${reason}.`)
}

/**
 * The order of keys in every listing: by their UTF-8 bytes, as S3 has it.
 * JavaScript's `<` compares UTF-16 units, which puts U+1F600 before U+FF5E.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return utf8Rank(x) - utf8Rank(y)
  }
  return a.length - b.length
}

/** Moves the surrogates, which stand for code points above U+FFFF, behind U+E000–U+FFFF. */
function utf8Rank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
