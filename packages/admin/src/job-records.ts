import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { bytesBody, databaseFolder, inFirstStorage, isBackupError, listAll, readObject } from '@sqlite-backup/core'
import type { NamedStorage } from './admin-context.ts'
import { askStorages } from './ask-storages.ts'
import type { Job } from './jobs.ts'
import { isTicketId, stampOf } from './tickets.ts'

/**
 * Jobs as they stand in the storages: `<db>/jobs/<id>.json` while one runs, `<id>.ended.json` after that. So what a process was
 * doing when it ended is known to the next, and a list of keys says whether there is anything of the kind.
 */
export interface JobRecords {
  put(job: Job): Promise<void>
  find(database: string, id: string): Promise<Job | undefined>
  /** Those of the last two days. */
  list(database: string): Promise<readonly Job[]>
  /** Of these, the ones that nobody ends any more: usually one request. */
  interrupted(database: string): Promise<readonly Job[]>
  /** Deletes those older than a week. */
  forget(database: string): Promise<void>
}

interface JobRecord {
  readonly format: 1
  readonly job: Job
  /** The process that does it. */
  readonly writer: Writer
  /** When it was heard of last, ISO 8601, UTC. */
  readonly seenAt: string
}

export interface Writer {
  readonly host: string
  readonly pid: number
  readonly nonce: string
}

/** How often a running job says that it is still there. */
export const beatMs = 15_000
const SILENT_MS = 60_000
const DAY_MS = 86_400_000
const MAX_BYTES = 64 * 1024

export function createJobRecords(storages: readonly NamedStorage[], now: () => Date): JobRecords {
  const self: Writer = { host: hostname(), pid: process.pid, nonce: randomUUID() }
  const startedAt = now().toISOString()

  return {
    async put(job) {
      const record: JobRecord = { format: 1, job: shortened(job), writer: self, seenAt: now().toISOString() }
      const body = bytesBody(Buffer.from(`${JSON.stringify(record, null, 2)}\n`))
      const isOver = job.state !== 'running'
      const key = keyOf(job.database, job.id)
      await inFirstStorage(storages, 'keep the job', ({ storage }) =>
        storage.put(isOver ? endedKeyOf(job.database, job.id) : key, body, { contentType: 'application/json' }),
      )
      // Wherever it was kept while it ran.
      if (isOver) await Promise.all(storages.map(({ storage }) => storage.delete([key])))
    },
    async find(database, id) {
      if (!isTicketId(id)) return undefined
      const keys = [keyOf(database, id), endedKeyOf(database, id)]
      return newest(await Promise.all(storages.flatMap(({ storage }) => keys.map((key) => read(storage, key)))))
    },
    list: (database) => recent(database, () => true),
    async interrupted(database) {
      const running = await recent(database, (key, keys) => {
        const id = key.slice(folderOf(database).length, -'.json'.length)
        return isTicketId(id) && !keys.has(endedKeyOf(database, id))
      })
      return running.filter(({ state }) => state === 'interrupted')
    },
    async forget(database) {
      const prefix = folderOf(database)
      const until = `${prefix}${stampOf(new Date(now().getTime() - 7 * DAY_MS))}`
      await Promise.all(
        storages.map(async ({ storage }) => {
          const { objects } = await storage.list({ prefix })
          const old = objects.map(({ key }) => key).filter((key) => key < until)
          if (old.length > 0) await storage.delete(old)
        }),
      )
    },
  }

  async function recent(
    database: string,
    isWanted: (key: string, keys: ReadonlySet<string>) => boolean,
  ): Promise<readonly Job[]> {
    const prefix = folderOf(database)
    const after = `${prefix}${stampOf(new Date(now().getTime() - 2 * DAY_MS))}`
    const listed = await askStorages(storages, async ({ storage }) => {
      const keys: string[] = []
      for await (const { key } of listAll(storage, { prefix, after })) keys.push(key)
      return { storage, keys }
    })
    const all = new Set(listed.flatMap(({ keys }) => keys))
    const found = await Promise.all(
      listed.flatMap(({ storage, keys }) =>
        keys
          .filter((key) => isWanted(key, all))
          .slice(-MAX_LISTED)
          .map((key) => read(storage, key)),
      ),
    )
    const byId = Map.groupBy(
      found.filter((record) => record !== undefined),
      ({ job }) => job.id,
    )
    return [...byId.values()].map((records) => newest(records)).filter((job) => job !== undefined)
  }

  /** What was heard last: a storage that was down may have an older word. */
  function newest(records: readonly (JobRecord | undefined)[]): Job | undefined {
    const [last] = records
      .filter((record) => record !== undefined)
      .sort((a, b) => ((a.job.endedAt ?? a.seenAt) < (b.job.endedAt ?? b.seenAt) ? 1 : -1))
    if (last === undefined) return undefined
    const { job, seenAt } = last
    if (job.state !== 'running' || !isInterrupted(last, { self, startedAt, now: now() })) return job
    return { ...job, state: 'interrupted', endedAt: seenAt }
  }
}

const MAX_LISTED = 50

/**
 * A running job of a process that is gone: nothing was heard of it for a minute, or its process on this machine ended before
 * this one began. Elsewhere (or in a container of the same name) a process of that number may live on: then it is heard of.
 */
export function isInterrupted(
  { writer, seenAt }: Pick<JobRecord, 'writer' | 'seenAt'>,
  { self, startedAt, now }: { readonly self: Writer; readonly startedAt: string; readonly now: Date },
): boolean {
  if (writer.nonce === self.nonce) return false
  if (now.getTime() - Date.parse(seenAt) > SILENT_MS) return true
  return writer.host === self.host && seenAt < startedAt && (writer.pid === self.pid || !isAlive(writer.pid))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Another user's process is one.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** What a record has room for. */
function shortened(job: Job): Job {
  if (job.result === undefined) return job
  const { comparison: _, ...result } = job.result
  return { ...job, result: { ...result, warnings: result.warnings.slice(0, 20) } }
}

function folderOf(database: string): string {
  return `${databaseFolder(database)}jobs/`
}

function keyOf(database: string, id: string): string {
  return `${folderOf(database)}${id}.json`
}

function endedKeyOf(database: string, id: string): string {
  return `${folderOf(database)}${id}.ended.json`
}

async function read(storage: NamedStorage['storage'], key: string): Promise<JobRecord | undefined> {
  try {
    return parse(JSON.parse(Buffer.from(await readObject(storage, key, { maxBytes: MAX_BYTES })).toString('utf8')))
  } catch (error) {
    // Gone meanwhile, no JSON of ours, or a storage that does not answer: the others may know.
    if (isBackupError(error) || error instanceof SyntaxError) return undefined
    throw error
  }
}

function parse(value: unknown): JobRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { format, job, writer, seenAt } = value as Partial<JobRecord>
  const texts = [job?.id, job?.database, job?.actor, job?.startedAt, writer?.host, writer?.nonce, seenAt]
  const isWhole = format === 1 && texts.every((text) => typeof text === 'string')
  if (!isWhole || job === undefined || !kinds.has(job.kind) || !states.has(job.state)) return undefined
  // Whoever may write into the storage should not be able to break a page.
  const { result, error, ...rest } = job
  const isResult = typeof result?.message === 'string' && Array.isArray(result.warnings)
  const isError = typeof error?.message === 'string' && typeof error.code === 'string'
  const checked = { ...rest, ...(isResult ? { result } : {}), ...(isError ? { error } : {}) }
  return { ...(value as JobRecord), job: checked }
}

const kinds: ReadonlySet<unknown> = new Set<Job['kind']>(['backup', 'verify', 'compare', 'restore'])
const states: ReadonlySet<unknown> = new Set<Job['state']>(['running', 'succeeded', 'failed'])
