import { opendir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from './filesystem-error.ts'
import { compareKeys, isKey } from './key.ts'
import { isListed } from './list-keys.ts'
import type { ListOptions } from './storage.ts'

// How many names of one folder are held at a time, however many it has.
const MAX_NAMES = 10_000

export interface WalkOptions extends ListOptions {
  /** Names at the top that are not objects. */
  readonly hidden: ReadonlySet<string>
}

/**
 * The lines of a listing of the files below `root`, in ascending order: keys, and with a delimiter folded prefixes
 * (those end in a slash). Folders that could have no line of it are not opened.
 */
export async function* walkFolder(root: string, options: WalkOptions): AsyncGenerator<string, void, void> {
  const { prefix = '' } = options
  yield* walk(root, prefix.slice(0, prefix.lastIndexOf('/') + 1), options)
}

async function* walk(root: string, folder: string, options: WalkOptions): AsyncGenerator<string, void, void> {
  let floor = ''
  for (;;) {
    const { lines, isAll } = await linesOf(root, folder, floor, options)
    for (const line of lines) {
      if (!line.endsWith('/')) yield line
      else if (options.delimiter === undefined) yield* walk(root, line, options)
      else if (await hasObject(root, line)) yield line
    }
    if (isAll) return
    floor = lines.at(-1) ?? floor
  }
}

/** The first lines of one folder behind `floor`: its files, and its folders with a slash, in order. */
async function linesOf(
  root: string,
  folder: string,
  floor: string,
  options: WalkOptions,
): Promise<{ readonly lines: readonly string[]; readonly isAll: boolean }> {
  let lines: string[] = []
  let isAll = true
  const keepFirst = (): void => {
    lines.sort(compareKeys)
    if (lines.length <= MAX_NAMES) return
    lines = lines.slice(0, MAX_NAMES)
    isAll = false
  }
  for await (const line of rawLines(root, folder, options.hidden)) {
    if (compareKeys(line, floor) <= 0 || !mayShow(line, options)) continue
    if (lines.push(line) >= 2 * MAX_NAMES) keepFirst()
  }
  keepFirst()
  return { lines, isAll }
}

function mayShow(line: string, options: WalkOptions): boolean {
  if (isListed(line, options)) return true
  if (!line.endsWith('/')) return false
  // A folder sorts before what is in it: it may hold the prefix, or keys behind the one we go on from.
  const { prefix = '', after = '', cursor = '', delimiter } = options
  if (prefix.startsWith(line)) return true
  if (delimiter !== undefined || !line.startsWith(prefix)) return false
  const from = compareKeys(after, cursor) > 0 ? after : cursor
  return from.startsWith(line)
}

async function* rawLines(
  root: string,
  folder: string,
  hidden: ReadonlySet<string>,
): AsyncGenerator<string, void, void> {
  try {
    for await (const entry of await opendir(join(root, folder), { bufferSize: 512 })) {
      if (folder === '' && hidden.has(entry.name)) continue
      const key = folder + entry.name
      // Not ours: no storage could name it.
      if (!isKey(key)) continue
      const kind = entry.isSymbolicLink() ? await kindOf(join(root, key)) : entry
      if (kind?.isFile()) yield key
      else if (kind?.isDirectory()) yield `${key}/`
    }
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

async function kindOf(path: string): Promise<{ isFile(): boolean; isDirectory(): boolean } | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Folders without files are no part of a listing. */
async function hasObject(root: string, folder: string): Promise<boolean> {
  const none: ReadonlySet<string> = new Set()
  const folders: string[] = []
  for await (const line of rawLines(root, folder, none)) {
    if (!line.endsWith('/')) return true
    folders.push(line)
  }
  for (const below of folders) if (await hasObject(root, below)) return true
  return false
}
