import { closeSync, type Dirent, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { basename, join, relative, resolve } from 'node:path'

export interface FoundDatabase {
  /** Safe as part of a key: lower case letters, digits, `-`, `_`. */
  readonly name: string
  /** Relative to the folder, like `./data/app.db`. */
  readonly path: string
  readonly sizeBytes: number
  /** Where it was found: a folder, or an environment variable. */
  readonly from: string
  /** By its name a copy of another one here, as `restore --output` and people make them. */
  readonly isCopy: boolean
}

export interface FindOptions {
  readonly env: NodeJS.ProcessEnv
  /** @default 3 */
  readonly maxDepth?: number
}

const extensions = /\.(db|db3|sqlite|sqlite3|s3db)$/i
const ignoredFolders = new Set(['node_modules', 'dist', 'build', 'coverage', 'backups', 'vendor', 'tmp'])
const soundsLikeCopy = /(?:^|[^a-z])(?:restored?|recovered|copy|backup|bak|old)(?:[^a-z]|$)/i
const maxEntries = 20_000
const variables = ['DATABASE_URL', 'DATABASE_PATH', 'DATABASE_FILE', 'DB_PATH', 'DB_FILE', 'SQLITE_PATH', 'SQLITE_FILE']

/** The SQLite databases in a folder, and those that the app's usual variables name. */
export function findDatabases(dir: string, { env, maxDepth = 3 }: FindOptions): readonly FoundDatabase[] {
  const paths = new Map<string, string>()
  for (const variable of variables) {
    const path = pathOf(env[variable])
    if (path !== undefined) paths.set(resolve(dir, path), variable)
  }
  for (const path of walk(dir, maxDepth)) if (!paths.has(path)) paths.set(path, dir)
  const names = new Set<string>()
  return [...paths].flatMap(([path, from]) => {
    const sizeBytes = databaseSize(path)
    if (sizeBytes === undefined) return []
    const isCopy = from === dir && soundsLikeCopy.test(basename(path).replace(extensions, ''))
    return [{ name: freeName(path, names), path: shownPath(dir, path), sizeBytes, from, isCopy }]
  })
}

/** The file that `file:./app.db`, `sqlite://…` or a plain path names; undefined for other databases. */
export function pathOf(value: string | undefined): string | undefined {
  if (value === undefined || value === '') return undefined
  const path = value.replace(/^(?:file|sqlite|sqlite3):(?:\/\/(?=\/|\.)|\/\/)?/, '').replace(/\?.*$/, '')
  return path === '' || path === ':memory:' || path.includes('://') || /^[a-z]+:/.test(path) ? undefined : path
}

function* walk(dir: string, maxDepth: number): Iterable<string> {
  let seen = 0
  const folders: { readonly path: string; readonly depth: number }[] = [{ path: dir, depth: 0 }]
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
    for (const entry of entriesOf(folder.path)) {
      if (++seen > maxEntries) return
      const path = join(folder.path, entry.name)
      const isWanted = !entry.name.startsWith('.') && !ignoredFolders.has(entry.name) && folder.depth < maxDepth
      if (entry.isDirectory() && isWanted) folders.push({ path, depth: folder.depth + 1 })
      if (entry.isFile() && extensions.test(entry.name)) yield path
    }
  }
}

/** A folder that may not be read has nothing we could back up. */
function entriesOf(path: string): readonly Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  } catch {
    return []
  }
}

/** Undefined unless the file is there and is empty or begins like a database: https://sqlite.org/fileformat.html#magic_header_string */
function databaseSize(path: string): number | undefined {
  try {
    const { size } = statSync(path)
    if (size === 0) return 0
    const file = openSync(path, 'r')
    try {
      const header = Buffer.alloc(16)
      readSync(file, header, 0, 16, 0)
      return header.equals(Buffer.from('SQLite format 3\0')) ? size : undefined
    } finally {
      closeSync(file)
    }
  } catch {
    return undefined
  }
}

function freeName(path: string, taken: Set<string>): string {
  const base = basename(path)
    .replace(extensions, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
  const wanted = base === '' ? 'database' : base
  let name = wanted
  for (let count = 2; taken.has(name); count++) name = `${wanted}-${count}`
  taken.add(name)
  return name
}

function shownPath(dir: string, path: string): string {
  const shown = relative(dir, path)
  return shown.startsWith('..') ? path : `./${shown}`
}
