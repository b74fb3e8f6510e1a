import { opendir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from './filesystem-error.ts'
import { compareKeys, isKey } from './key.ts'
import { isListed } from './list-keys.ts'
import type { ListOptions } from './storage.ts'

export interface WalkOptions extends ListOptions {
  /** Names at the top that are not objects. */
  readonly hidden: ReadonlySet<string>
  /** How many names of one folder are held at a time, however many it has. @default 10_000 */
  readonly maxNames?: number
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
  const { maxNames = 10_000 } = options
  let lines: string[] = []
  let isAll = true
  const keepFirst = (): void => {
    lines.sort(compareKeys)
    if (lines.length <= maxNames) return
    lines = lines.slice(0, maxNames)
    isAll = false
  }
  await eachLine(root, folder, options.hidden, (line) => {
    // The cheap question first: of a large folder most names are on other pages.
    if (compareKeys(line, floor) <= 0 || !mayShow(line, options) || !isSound(line)) return true
    if (lines.push(line) >= 2 * maxNames) keepFirst()
    return true
  })
  keepFirst()
  return { lines, isAll }
}

/** False for a name that is not ours, because no storage could say it. */
function isSound(line: string): boolean {
  return isKey(line.endsWith('/') ? line.slice(0, -1) : line)
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

/** Shows the files of a folder, and its folders with a slash, in any order, until `visit` says false. */
async function eachLine(
  root: string,
  folder: string,
  hidden: ReadonlySet<string>,
  visit: (line: string) => boolean,
): Promise<void> {
  try {
    for await (const entry of await opendir(join(root, folder), { bufferSize: 512 })) {
      if (folder === '' && hidden.has(entry.name)) continue
      const key = folder + entry.name
      const kind = entry.isSymbolicLink() ? await kindOf(join(root, key)) : entry
      const line = kind?.isFile() ? key : kind?.isDirectory() ? `${key}/` : undefined
      if (line !== undefined && !visit(line)) return
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
  const folders: string[] = []
  let isFound = false
  await eachLine(root, folder, new Set(), (line) => {
    if (!isSound(line)) return true
    if (line.endsWith('/')) folders.push(line)
    else isFound = true
    return !isFound
  })
  for (const below of folders) isFound ||= await hasObject(root, below)
  return isFound
}
