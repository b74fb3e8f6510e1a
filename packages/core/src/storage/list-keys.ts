import { assertPrefix, compareKeys } from './key.ts'
import type { ListOptions } from './storage.ts'

/** What one line of a listing shows: a key, or the prefix it is folded into. */
export function lineOf(key: string, { prefix = '', delimiter }: ListOptions): string {
  const at = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length)
  return at === -1 ? key : key.slice(0, at + 1)
}

/** True for a line that belongs on the page that `options` asks for, or on a later one. */
export function isListed(line: string, { prefix = '', after = '', cursor = '' }: ListOptions): boolean {
  return line.startsWith(prefix) && compareKeys(line, after) > 0 && compareKeys(line, cursor) > 0
}

export interface KeyPage {
  readonly keys: readonly string[]
  readonly prefixes: readonly string[]
  readonly cursor?: string
}

/**
 * The page of `sortedKeys` that `options` asks for. Its cursor is the last line shown.
 *
 * @throws BackupError `KEY_INVALID` for a prefix that no key can have.
 */
export function listKeys(sortedKeys: readonly string[], options: ListOptions = {}): KeyPage {
  const { prefix = '', limit = 1000 } = options
  assertPrefix(prefix)
  const keys: string[] = []
  const prefixes: string[] = []
  let last: string | undefined
  for (let i = firstIndex(sortedKeys, options); i < sortedKeys.length; i++) {
    const key = sortedKeys[i] as string
    if (!key.startsWith(prefix)) break
    const line = lineOf(key, options)
    if (line === last || !isListed(line, options)) continue
    if (keys.length + prefixes.length === limit && last !== undefined) return { keys, prefixes, cursor: last }
    if (line === key) keys.push(key)
    else prefixes.push(line)
    last = line
  }
  return { keys, prefixes }
}

/** Where the first key that could be shown stands, by bisection. */
function firstIndex(sortedKeys: readonly string[], { prefix = '', after = '', cursor = '' }: ListOptions): number {
  let low = 0
  let high = sortedKeys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const key = sortedKeys[middle] as string
    const isBefore = compareKeys(key, prefix) < 0 || compareKeys(key, after) <= 0 || compareKeys(key, cursor) <= 0
    if (isBefore) low = middle + 1
    else high = middle
  }
  return low
}
