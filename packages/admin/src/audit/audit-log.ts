import { randomBytes } from 'node:crypto'
import { bytesBody, databaseFolder, isBackupError, listAll, readObject, type Storage } from '@sqlite-backup/core'
import type { NamedStorage } from '../admin-context.ts'
import { inFirstStorage } from '../first-storage.ts'
import { type AuditAction, type AuditEntry, type AuditHead, encodeEntry, sha256Of } from './audit-entry.ts'
import { type ChainReport, checkChains, type StoredEntry } from './check-chains.ts'

export interface AuditLog {
  /** Writes an action down before it is done; when no storage can take it, the action is not done either. */
  append(database: string, action: AuditAction): Promise<AuditEntry>
  /** The newest entries of every storage, and what was removed or edited. */
  read(database: string): Promise<AuditReport>
}

export interface AuditReport extends ChainReport {
  /** Older entries are in the storage and not in this report. */
  readonly hasMore: boolean
}

export interface AuditLogOptions {
  readonly storages: readonly NamedStorage[]
  readonly now: () => Date
}

const MAX_READ = 500
const MAX_WRITERS_NOTED = 20
const MAX_ENTRY_BYTES = 64 * 1024

interface Chain {
  head?: AuditHead
  /** Appends of one process follow one another. */
  tail: Promise<unknown>
}

/** The log of one process: a chain of its own per storage and database, `<db>/audit/<writer>/<seq>.json`. */
export function createAuditLog({ storages, now }: AuditLogOptions): AuditLog {
  const writer = `${now().toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z-${randomBytes(4).toString('hex')}`
  const chains = new Map<string, Chain>()
  const cache = new Map<string, { readonly version: string; readonly bytes: Uint8Array }>()

  return {
    append: (database, action) =>
      inFirstStorage(storages, 'write the audit log, so nothing was done', async (named) => {
        const chain = chainOf(named, database)
        const append = chain.tail.then(() => appendTo(named.storage, chain, database, action))
        chain.tail = append.catch(() => undefined)
        return append
      }),
    async read(database) {
      const reports = await Promise.all(storages.map((named) => readFrom(named, database)))
      return {
        entries: reports.flatMap(({ entries }) => entries).sort((a, b) => (a.at < b.at ? 1 : -1)),
        problems: reports.flatMap(({ problems }) => problems),
        hasMore: reports.some(({ hasMore }) => hasMore),
      }
    },
  }

  function chainOf({ name }: NamedStorage, database: string): Chain {
    const key = JSON.stringify([name, database])
    const chain = chains.get(key) ?? { tail: Promise.resolve() }
    chains.set(key, chain)
    return chain
  }

  async function appendTo(storage: Storage, chain: Chain, database: string, action: AuditAction): Promise<AuditEntry> {
    const { head } = chain
    const seq = (head?.seq ?? 0) + 1
    const heads = head === undefined ? await readHeads(storage, database) : []
    const entry: AuditEntry = {
      format: 1,
      writer,
      seq,
      at: now().toISOString(),
      database,
      ...action,
      ...(head === undefined ? {} : { previous: head.sha256 }),
      ...(heads.length === 0 ? {} : { heads }),
    }
    const bytes = encodeEntry(entry)
    await storage.put(keyOf(database, writer, seq), bytesBody(bytes), {
      ifAbsent: true,
      contentType: 'application/json',
    })
    chain.head = { writer, seq, sha256: sha256Of(bytes) }
    return entry
  }

  async function readFrom({ name, storage }: NamedStorage, database: string): Promise<AuditReport> {
    const keys = await listEntries(storage, database)
    // Newest writers last: their names begin with the time. Whole chains, so that each link can be checked.
    const shown = keys.slice(-MAX_READ)
    const stored = await Promise.all(shown.map((each) => readCached(storage, name, each)))
    const { head } = chainOf({ name, storage }, database)
    const report = checkChains(
      stored.filter((each) => each !== undefined),
      head === undefined ? [] : [head],
    )
    const first = shown[0]
    const hasMore = shown.length < keys.length
    // Of a chain that is cut by the limit, what stands before the cut was not read: it is not missing.
    const shownWriters = new Set(shown.map((each) => each.writer))
    const problems = report.problems.filter(
      (problem) =>
        !hasMore ||
        (shownWriters.has(problem.writer) && (problem.writer !== first?.writer || problem.seq >= first.seq)),
    )
    return { ...report, problems, hasMore }
  }

  async function readCached(storage: Storage, name: string, listed: ListedEntry): Promise<StoredEntry | undefined> {
    const cacheKey = `${name} ${listed.key}`
    const cached = cache.get(cacheKey)
    if (cached?.version === listed.version) return { ...listed, bytes: cached.bytes }
    const bytes = await readIfThere(storage, listed.key)
    if (bytes === undefined) return undefined
    if (cache.size > 4 * MAX_READ) cache.clear()
    if (listed.version !== '') cache.set(cacheKey, { version: listed.version, bytes })
    return { ...listed, bytes }
  }
}

interface ListedEntry {
  readonly key: string
  readonly writer: string
  readonly seq: number
  /** Changes when the object does; '' when the storage does not say. */
  readonly version: string
}

function folderOf(database: string): string {
  return `${databaseFolder(database)}audit/`
}

function keyOf(database: string, writer: string, seq: number): string {
  return `${folderOf(database)}${writer}/${String(seq).padStart(8, '0')}.json`
}

async function listEntries(storage: Storage, database: string): Promise<readonly ListedEntry[]> {
  const prefix = folderOf(database)
  const found: ListedEntry[] = []
  for await (const { key, etag, modified, sizeBytes } of listAll(storage, { prefix })) {
    const [, writer, seq] = /^(\d{8}T\d{6}Z-[0-9a-f]{8})\/(\d{8})\.json$/.exec(key.slice(prefix.length)) ?? []
    if (writer === undefined || seq === undefined) continue
    const version = etag ?? (modified === undefined ? '' : `${modified.toISOString()} ${sizeBytes}`)
    found.push({ key, writer, seq: Number(seq), version })
  }
  return found
}

/** Where the newest chains of other writers end. */
async function readHeads(storage: Storage, database: string): Promise<readonly AuditHead[]> {
  const last = new Map<string, ListedEntry>()
  for (const entry of await listEntries(storage, database)) last.set(entry.writer, entry)
  const heads = await Promise.all(
    [...last.values()].slice(-MAX_WRITERS_NOTED).map(async ({ key, writer, seq }): Promise<AuditHead | undefined> => {
      const bytes = await readIfThere(storage, key)
      return bytes === undefined ? undefined : { writer, seq, sha256: sha256Of(bytes) }
    }),
  )
  return heads.filter((head) => head !== undefined)
}

async function readIfThere(storage: Storage, key: string): Promise<Uint8Array | undefined> {
  try {
    return await readObject(storage, key, { maxBytes: MAX_ENTRY_BYTES })
  } catch (error) {
    if (isBackupError(error, 'OBJECT_MISSING')) return undefined
    throw error
  }
}
