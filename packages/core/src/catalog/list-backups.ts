import { BackupError } from '../errors.ts'
import type { CallOptions, Storage } from '../storage/storage.ts'
import { type BackupEntry, parseCatalogKey } from './keys.ts'
import { listDatabases } from './list-databases.ts'
import type { Tier } from './manifest.ts'
import { compareNewestFirst, walkCatalog } from './walk-catalog.ts'

export interface BackupFilter extends CallOptions {
  /** @default all databases of the storage */
  readonly database?: string | undefined
  readonly tier?: Tier | undefined
  /** The whole name. */
  readonly name?: string | undefined
  /** Made at or after this. */
  readonly since?: Date | undefined
  /** Made at or before this. */
  readonly until?: Date | undefined
}

export interface BackupPageOptions extends BackupFilter {
  /** A moment since which there probably is a backup: saves requests. */
  readonly recentSince?: Date | undefined
  /** @default 50 */
  readonly limit?: number | undefined
  /** `cursor` of the page before, with the same filter. */
  readonly cursor?: string | undefined
}

export interface BackupPage {
  readonly items: readonly BackupEntry[]
  /** There is more: pass it to the next call. */
  readonly cursor?: string
}

/**
 * Backups in a storage, newest first, from keys alone and only as far as they are read.
 *
 * @example
 * for await (const backup of listBackups(storage, { database: 'app', tier: 'daily' })) console.log(backup.id)
 */
export async function* listBackups(storage: Storage, filter: BackupFilter = {}): AsyncGenerator<BackupEntry> {
  yield* listFrom(storage, filter, undefined)
}

/** One page of {@link listBackups}. @throws BackupError `USAGE` for a cursor that is none */
export async function listBackupPage(storage: Storage, options: BackupPageOptions = {}): Promise<BackupPage> {
  const { limit = 50, cursor, recentSince, ...filter } = options
  const before = cursor === undefined ? undefined : parseCatalogKey(cursor)
  if (cursor !== undefined && before === undefined) {
    throw new BackupError('USAGE', `${JSON.stringify(cursor)} is not a cursor of a list of backups.`)
  }
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw new BackupError('USAGE', 'The limit of a list should be 1 or more.')
  const items: BackupEntry[] = []
  for await (const entry of listFrom(storage, filter, before, recentSince)) {
    const last = items.at(-1)
    if (items.length === limit && last !== undefined) return { items, cursor: last.key }
    items.push(entry)
  }
  return { items }
}

async function* listFrom(
  storage: Storage,
  filter: BackupFilter,
  before: BackupEntry | undefined,
  recentSince?: Date,
): AsyncGenerator<BackupEntry> {
  const { database, tier, name, since, until, signal } = filter
  const wantedName = name?.normalize('NFC')
  const databases = database === undefined ? await listDatabases(storage, { signal }) : [database]
  const walks = databases.map((each) => walkCatalog(storage, each, { since, until, signal, before, recentSince }))
  for await (const entry of newestFirst(walks)) {
    if ((tier === undefined || entry.tier === tier) && (name === undefined || entry.name === wantedName)) yield entry
  }
}

/** Several walks as one, still newest first: one entry of each is held. */
async function* newestFirst(walks: readonly AsyncGenerator<BackupEntry>[]): AsyncGenerator<BackupEntry> {
  const heads: { readonly walk: AsyncGenerator<BackupEntry>; entry: BackupEntry }[] = []
  try {
    for (const walk of walks) {
      const { value } = await walk.next()
      if (value !== undefined) heads.push({ walk, entry: value })
    }
    while (heads.length > 0) {
      const newest = heads.reduce((best, head) => (compareNewestFirst(head.entry, best.entry) < 0 ? head : best))
      yield newest.entry
      const { value } = await newest.walk.next()
      if (value === undefined) heads.splice(heads.indexOf(newest), 1)
      else newest.entry = value
    }
  } finally {
    await Promise.all(walks.map((walk) => walk.return(undefined)))
  }
}
