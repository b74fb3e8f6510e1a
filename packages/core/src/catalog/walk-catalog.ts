import type { CallOptions, ListOptions, ListPage, Storage } from '../storage/storage.ts'
import { timeStamp } from './backup-id.ts'
import { type BackupEntry, catalogFolder, dayFolder, parseCatalogKey } from './keys.ts'

export interface WalkRange extends CallOptions {
  /** Nothing made before this. */
  readonly since?: Date | undefined
  /** Nothing made after this. */
  readonly until?: Date | undefined
  /** Only what stands behind this one in the order of the walk. */
  readonly before?: Pick<BackupEntry, 'created' | 'key'> | undefined
  /** A moment since which there probably is a backup: if so, one request brings all made since its day. */
  readonly recentSince?: Date | undefined
}

/** The order of every list of backups: newest first; of the same moment, the greater key first. */
export function compareNewestFirst(
  a: Pick<BackupEntry, 'created' | 'key'>,
  b: Pick<BackupEntry, 'created' | 'key'>,
): number {
  const byTime = b.created.getTime() - a.created.getTime()
  if (byTime !== 0 || a.key === b.key) return byTime
  return a.key < b.key ? 1 : -1
}

/**
 * The backups of one database, newest first, from keys alone and only as far as the caller reads.
 * Three requests find the newest day and a fourth its backups; behind it one request brings up to a thousand.
 */
export async function* walkCatalog(
  storage: Storage,
  database: string,
  range: WalkRange = {},
): AsyncGenerator<BackupEntry> {
  const { signal, before } = range
  const bounds: Bounds = {
    fromMs: range.since?.getTime() ?? Number.NEGATIVE_INFINITY,
    untilMs: Math.min(
      range.until?.getTime() ?? Number.POSITIVE_INFINITY,
      before?.created.getTime() ?? Number.POSITIVE_INFINITY,
    ),
  }
  const list = (options: ListOptions): Promise<ListPage> => storage.list({ ...options, signal })
  const recent = await readRecent(list, catalogFolder(database), range)
  yield* recent
  const oldest = recent.at(-1)
  const start = oldest ?? before
  const rest = oldest === undefined ? bounds : { ...bounds, untilMs: oldest.created.getTime() }
  for await (const entry of foldersDescending(list, catalogFolder(database), rest)) {
    if (start === undefined || compareNewestFirst(start, entry) < 0) yield entry
  }
}

/** All of the last days in one request, when they fit; nothing otherwise, and then the folders lead the way. */
async function readRecent(
  list: List,
  root: string,
  { recentSince, since, until, before }: WalkRange,
): Promise<readonly BackupEntry[]> {
  if (recentSince === undefined || since !== undefined || until !== undefined || before !== undefined) return []
  const { objects, cursor } = await list({ prefix: root, after: dayFolder(root, recentSince) })
  if (cursor !== undefined) return []
  return objects
    .map(({ key }) => parseCatalogKey(key))
    .filter((entry) => entry !== undefined)
    .sort(compareNewestFirst)
}

type List = (options: ListOptions) => Promise<ListPage>

interface Bounds {
  readonly fromMs: number
  readonly untilMs: number
}

/** Down the folders to the newest day that has a backup, then by what is left of its month, of its year, and by years. */
async function* foldersDescending(list: List, root: string, bounds: Bounds): AsyncGenerator<BackupEntry> {
  let hasFound = false
  const read = async function* (folder: string, through: string): AsyncGenerator<BackupEntry> {
    const span = spanOf(root, folder, through, bounds)
    for await (const entry of spanDescending(list, span)) {
      hasFound = true
      yield entry
    }
  }
  for (const year of await subfolders(list, root, '', bounds)) {
    if (hasFound) {
      yield* read(year, year)
      continue
    }
    for (const month of await subfolders(list, root, year, bounds)) {
      if (hasFound) {
        yield* read(year, month)
        break
      }
      for (const day of await subfolders(list, root, month, bounds)) {
        if (hasFound) {
          yield* read(month, day)
          break
        }
        yield* read(day, day)
      }
    }
  }
}

/** Folders in a folder of the catalog, like `2026/11`, newest first, without those out of bounds. One LIST. */
async function subfolders(list: List, root: string, path: string, bounds: Bounds): Promise<readonly string[]> {
  const folder = path === '' ? root : `${root}${path}/`
  // Whatever else lies here is not ours to walk.
  const pattern = path === '' ? /^[1-9]\d{3}$/ : path.length === 4 ? /^(?:0[1-9]|1[0-2])$/ : /^(?:0[1-9]|[12]\d|3[01])$/
  const found: string[] = []
  let cursor: string | undefined
  do {
    const page: ListPage = await list({ prefix: folder, delimiter: '/', ...(cursor === undefined ? {} : { cursor }) })
    for (const prefix of page.prefixes) {
      const name = prefix.slice(folder.length, -1)
      const child = path === '' ? name : `${path}/${name}`
      if (!pattern.test(name)) continue
      if (lastMsOf(child) >= bounds.fromMs && firstMsOf(child) <= bounds.untilMs) found.push(child)
    }
    cursor = page.cursor
  } while (cursor !== undefined)
  return found.reverse()
}

function firstMsOf(path: string): number {
  const [year = 0, month = 1, day = 1] = path.split('/').map(Number)
  return Date.UTC(year, month - 1, day)
}

function lastMsOf(path: string): number {
  const [year = 0, month, day] = path.split('/').map(Number)
  if (month === undefined) return Date.UTC(year + 1, 0) - 1
  return (day === undefined ? Date.UTC(year, month) : Date.UTC(year, month - 1, day + 1)) - 1
}

interface Span extends Bounds {
  readonly root: string
  /** All keys of the span start with this. */
  readonly prefix: string
  /** Only keys after this one. */
  readonly after: string
}

function spanOf(root: string, folder: string, through: string, bounds: Bounds): Span {
  const fromMs = Math.max(firstMsOf(folder), bounds.fromMs)
  const untilMs = Math.min(lastMsOf(through), bounds.untilMs)
  return { root, prefix: `${root}${folder}/`, after: keyBefore(root, fromMs), fromMs, untilMs }
}

/** Every key of that moment or later is after this one. */
function keyBefore(root: string, ms: number): string {
  const at = new Date(ms)
  return `${dayFolder(root, at)}${timeStamp(at)}`
}

// Storages list upwards only. Two pages hold most spans; a fuller one is halved by time until its end fits.
const PAGES_AT_ONCE = 2

async function* spanDescending(list: List, span: Span): AsyncGenerator<BackupEntry> {
  const { root, prefix, untilMs } = span
  const entries: BackupEntry[] = []
  let { after, fromMs } = span
  let cursor: string | undefined
  let pages = 0
  do {
    const page = await list({ prefix, after: span.after, ...(cursor === undefined ? {} : { cursor }) })
    for (const { key } of page.objects) {
      after = key
      const entry = parseCatalogKey(key)
      if (entry === undefined) continue
      fromMs = entry.created.getTime()
      if (fromMs <= untilMs) entries.push(entry)
    }
    if (page.objects.length > 0) pages += 1
    cursor = fromMs > untilMs ? undefined : page.cursor
  } while (cursor !== undefined && pages < PAGES_AT_ONCE)
  if (cursor !== undefined) {
    const middleMs = fromMs + Math.ceil((untilMs - fromMs) / 2)
    const canHalve = middleMs > fromMs
    if (canHalve) {
      yield* spanDescending(list, { root, prefix, after: keyBefore(root, middleMs), fromMs: middleMs, untilMs })
    }
    // Backups of one millisecond cannot be halved: their pages follow one another.
    yield* spanDescending(list, { root, prefix, after, fromMs, untilMs: canHalve ? middleMs - 1 : untilMs })
  }
  yield* entries.reverse()
}
