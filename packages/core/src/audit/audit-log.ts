import { randomBytes } from 'node:crypto'
import type { NamedStorage } from '../catalog/first-answering.ts'
import { databaseFolder } from '../catalog/keys.ts'
import { isBackupError } from '../errors.ts'
import type { Logger } from '../events.ts'
import { bytesBody, listAll, readObject, type Storage } from '../storage/storage.ts'
import { type AuditAction, type AuditEntry, type AuditHead, encodeEntry, parseEntry, sha256Of } from './audit-entry.ts'
import { type ChainReport, checkChains, newestFirst, type StoredEntry } from './check-chains.ts'
import { chooseNewest } from './choose-newest.ts'
import { inFirstStorage } from './first-taking.ts'
import { noteHead, parseHead } from './heads.ts'

export interface AuditLog {
  /** Writes an action down before it is done; when no storage can take it, the action is not done either. */
  append(database: string, action: AuditAction): Promise<AuditEntry>
  /** The newest entries of every storage, and what was removed or edited. */
  read(database: string): Promise<AuditReport>
}

export interface AuditReport extends ChainReport {
  /** Older entries are in the storage and not in this report. */
  readonly hasMore: boolean
  /** Storages that could not be read: what is in them is not in this report. */
  readonly unread: readonly { readonly storage: string; readonly message: string }[]
}

export interface AuditLogOptions {
  readonly storages: readonly NamedStorage[]
  readonly now: () => Date
  /** Hears when the end of a chain could not be noted in another storage. @default none */
  readonly log?: Logger | undefined
}

const MAX_READ = 500
const MAX_WRITERS_NOTED = 20
const MAX_LOOKED_AGAIN = 20
const MAX_ENTRY_BYTES = 64 * 1024

interface Chain {
  head?: AuditHead
  /** Appends of one process follow one another. */
  tail: Promise<unknown>
}

/** The log of one process: a chain of its own per storage and database, `<db>/audit/<writer>/<seq>.json`. */
export function createAuditLog({ storages, now, log }: AuditLogOptions): AuditLog {
  const writer = `${now().toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z-${randomBytes(4).toString('hex')}`
  const chains = new Map<string, Chain>()
  const cache = new Map<string, { readonly version: string; readonly bytes: Uint8Array }>()

  return {
    append: (database, action) =>
      inFirstStorage(storages, 'write the audit log, so nothing was done', async (named) => {
        const chain = chainOf(named, database)
        const append = chain.tail.then(() => appendTo(named, chain, database, action))
        chain.tail = append.catch(() => undefined)
        return append
      }),
    async read(database) {
      const unread: { readonly storage: string; readonly message: string }[] = []
      const asked = await Promise.all(
        storages.map(async (named) => {
          try {
            return { named, ...(await listAudit(named, database)) }
          } catch (error) {
            if (!isBackupError(error)) throw error
            unread.push({ storage: named.name, message: error.message })
            return undefined
          }
        }),
      )
      const listed = asked.filter((each) => each !== undefined)
      const notes = listed.flatMap((each) => each.otherKeys)
      const reports = await Promise.all(listed.map(({ named, entries }) => readFrom(named, database, entries, notes)))
      return {
        entries: reports.flatMap(({ entries }) => entries).sort(newestFirst),
        problems: reports.flatMap(({ problems }) => problems),
        hasMore: reports.some(({ hasMore }) => hasMore),
        unread,
      }
    },
  }

  function chainOf({ name }: NamedStorage, database: string): Chain {
    const key = JSON.stringify([name, database])
    const chain = chains.get(key) ?? { tail: Promise.resolve() }
    chains.set(key, chain)
    return chain
  }

  async function appendTo(
    named: NamedStorage,
    chain: Chain,
    database: string,
    action: AuditAction,
  ): Promise<AuditEntry> {
    const { storage } = named
    const { head } = chain
    const seq = (head?.seq ?? 0) + 1
    const heads = head === undefined ? await readHeads(named, database) : []
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
    await note(named, database, chain.head, head)
    return entry
  }

  /** In the other storages meanwhile: one that is down is in nobody's way. */
  async function note(
    { name: storageName }: NamedStorage,
    database: string,
    head: AuditHead,
    before: AuditHead | undefined,
  ): Promise<void> {
    const noted = storages.map(async ({ name, storage }) => {
      try {
        await noteHead(storage, { database, storageName }, head, before)
      } catch (error) {
        log?.warn({ err: error, database, storage: name }, 'Where the audit log ends could not be noted')
      }
    })
    await noted[storages.findIndex(({ name }) => name === storageName)]
  }

  async function readFrom(
    { name, storage }: NamedStorage,
    database: string,
    keys: readonly ListedEntry[],
    notes: readonly string[],
  ): Promise<Omit<AuditReport, 'unread'>> {
    const isRead = new Set(chooseNewest(keys, MAX_READ))
    const stored = await Promise.all(
      keys.map(async (each) =>
        isRead.has(each) ? readCached(storage, name, each) : { writer: each.writer, seq: each.seq },
      ),
    )
    const { head } = chainOf({ name, storage }, database)
    const noted = notes.map((key) => parseHead(key, database, name)).filter((each) => each !== undefined)
    const { entries, problems: found } = checkChains(
      stored.filter((each) => each !== undefined),
      head === undefined ? noted : [head, ...noted],
    )
    // An entry that came while the keys were listed is not missing.
    const isProblem = await Promise.all(
      found.map(
        async ({ kind, writer, seq }, at) =>
          kind !== 'removed' || at >= MAX_LOOKED_AGAIN || !(await isThere(storage, keyOf(database, writer, seq))),
      ),
    )
    return {
      entries: entries.slice(0, MAX_READ),
      problems: found.filter((_, at) => isProblem[at]),
      hasMore: keys.length > MAX_READ,
    }
  }

  async function readCached(storage: Storage, name: string, listed: ListedEntry): Promise<StoredEntry | undefined> {
    const cacheKey = `${name} ${listed.key}`
    const cached = cache.get(cacheKey)
    if (cached?.version === listed.version) return { ...listed, bytes: cached.bytes }
    const bytes = await readIfThere(storage, listed)
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
  readonly sizeBytes: number
  readonly modified?: Date | undefined
  /** Changes when the object does; '' when the storage does not say. */
  readonly version: string
}

function folderOf(database: string): string {
  return `${databaseFolder(database)}audit/`
}

function keyOf(database: string, writer: string, seq: number): string {
  return `${folderOf(database)}${writer}/${String(seq).padStart(8, '0')}.json`
}

/** The entries of a storage, in order, and the keys beside them. */
async function listAudit(
  { storage }: NamedStorage,
  database: string,
): Promise<{ readonly entries: readonly ListedEntry[]; readonly otherKeys: readonly string[] }> {
  const prefix = folderOf(database)
  const entries: ListedEntry[] = []
  const otherKeys: string[] = []
  for await (const { key, etag, modified, sizeBytes } of listAll(storage, { prefix })) {
    const [, writer, seq] = /^(\d{8}T\d{6}Z-[0-9a-f]{8})\/(\d{8})\.json$/.exec(key.slice(prefix.length)) ?? []
    if (writer === undefined || seq === undefined) {
      otherKeys.push(key)
      continue
    }
    const version = etag ?? (modified === undefined ? '' : `${modified.toISOString()} ${sizeBytes}`)
    entries.push({ key, writer, seq: Number(seq), sizeBytes, modified, version })
  }
  return { entries, otherKeys }
}

/** Where the newest chains of other writers end. */
async function readHeads(named: NamedStorage, database: string): Promise<readonly AuditHead[]> {
  const { storage } = named
  const last = new Map<string, ListedEntry>()
  for (const entry of (await listAudit(named, database)).entries) last.set(entry.writer, entry)
  const heads = await Promise.all(
    [...last.values()].slice(-MAX_WRITERS_NOTED).map(async (entry): Promise<AuditHead | undefined> => {
      const bytes = await readIfThere(storage, entry)
      // What is no entry is no end of a chain either: who reads the log is told.
      if (bytes === undefined || parseEntry(bytes) === undefined) return undefined
      return { writer: entry.writer, seq: entry.seq, sha256: sha256Of(bytes) }
    }),
  )
  return heads.filter((head) => head !== undefined)
}

/** Its bytes; none when it is too large to be an entry, so that whoever may write there cannot stop who reads. */
async function readIfThere(storage: Storage, { key, sizeBytes }: ListedEntry): Promise<Uint8Array | undefined> {
  if (sizeBytes > MAX_ENTRY_BYTES) return new Uint8Array()
  try {
    return await readObject(storage, key, { maxBytes: MAX_ENTRY_BYTES })
  } catch (error) {
    if (isBackupError(error, 'OBJECT_MISSING')) return undefined
    throw error
  }
}

async function isThere(storage: Storage, key: string): Promise<boolean> {
  try {
    await storage.head(key)
    return true
  } catch (error) {
    if (isBackupError(error, 'OBJECT_MISSING')) return false
    throw error
  }
}
