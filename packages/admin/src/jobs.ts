import { setTimeout as delay } from 'node:timers/promises'
import { type Comparison, type Logger, type SerializedError, serializeError } from '@sqlite-backup/core'
import { beatMs, type JobRecords } from './job-records.ts'
import { ticketId } from './tickets.ts'
import { AdminError } from './web/admin-error.ts'

export type JobKind = 'backup' | 'verify' | 'compare' | 'restore'

/** Something long that a person started here: the answer to the request says where to look for it. */
export interface Job {
  readonly id: string
  readonly kind: JobKind
  readonly database: string
  /** The backup it is about. */
  readonly backup?: string
  readonly actor: string
  /** `interrupted`: its process ended before it was done. */
  readonly state: 'running' | 'succeeded' | 'failed' | 'interrupted'
  /** ISO 8601, UTC. */
  readonly startedAt: string
  /** When it was over, or heard of last. */
  readonly endedAt?: string
  /** Sentences on what came out. */
  readonly result?: JobResult
  readonly error?: SerializedError
}

export interface JobResult {
  readonly message: string
  readonly warnings: readonly string[]
  /** A backup to look at. */
  readonly backup?: string
  /** A file that was written. */
  readonly file?: string
  /** What a restore would change. Only the process that found out has it. */
  readonly comparison?: Comparison
}

export interface StartJob {
  readonly kind: JobKind
  readonly database: string
  readonly backup?: string
  readonly actor: string
  readonly run: (signal: AbortSignal) => Promise<JobResult>
}

export interface Jobs {
  /** Answers when it has begun and is on record. @throws AdminError `BUSY` while one of this kind runs for this database */
  start(job: StartJob): Promise<Job>
  /** A job of this process, or one on record. */
  find(database: string, id: string): Promise<Job | undefined>
  /** Jobs of the last two days, of this and other processes, the newest first. */
  list(database: string): Promise<readonly Job[]>
  /** Of these, the ones that a process did not finish before it ended. */
  interrupted(database: string): Promise<readonly Job[]>
  /** Jobs of this process, the newest first. */
  own(): readonly Job[]
  onChange(listener: () => void): () => void
  /** Aborts what runs and waits for it. */
  close(): Promise<void>
}

export interface JobsOptions {
  readonly now: () => Date
  readonly records: JobRecords
  readonly log?: Logger | undefined
}

const KEPT = 50
const CLOSE_MS = 3_000

/** What people started here. It is on record in the storages too, so a restart does not forget it. */
export function createJobs({ now, records, log }: JobsOptions): Jobs {
  const jobs = new Map<string, Job>()
  const listeners = new Set<() => void>()
  const running = new Set<Promise<void>>()
  const closing = new AbortController()

  const set = (job: Job): void => {
    jobs.set(job.id, job)
    for (const listener of listeners) listener()
  }
  /** A job that cannot be written down is done all the same: what has to be on record is in the audit log. */
  const keep = async (job: Job): Promise<void> => {
    try {
      await records.put(job)
    } catch (error) {
      log?.warn({ err: error, job: job.id, database: job.database }, 'A job of the admin is on no record')
    }
  }

  const work = async (job: Job, run: StartJob['run'], firstKept: Promise<void>): Promise<void> => {
    // One after the other: the last word stays the last.
    let kept = firstKept
    let isBeating = false
    const beat = setInterval(() => {
      if (isBeating) return
      isBeating = true
      kept = kept
        .then(() => keep(job))
        .then(() => {
          isBeating = false
        })
    }, beatMs)
    beat.unref()
    const ended = await run(closing.signal).then(
      (result) => ({ state: 'succeeded', result }) as const,
      (error: unknown) => ({ state: 'failed', error: serializeError(error) }) as const,
    )
    clearInterval(beat)
    const over: Job = { ...job, ...ended, endedAt: now().toISOString() }
    set(over)
    await kept
    await keep(over)
  }

  const forget = async (database: string): Promise<void> => {
    const ended = [...jobs.values()].filter(({ state }) => state !== 'running')
    for (const { id } of ended.slice(0, Math.max(0, ended.length - KEPT))) jobs.delete(id)
    try {
      await records.forget(database)
    } catch (error) {
      log?.warn({ err: error, database }, 'Old jobs of the admin could not be deleted')
    }
  }

  return {
    async start({ run, ...rest }) {
      const other = [...jobs.values()].find(
        (job) => job.state === 'running' && job.kind === rest.kind && job.database === rest.database,
      )
      if (other !== undefined) {
        throw new AdminError(409, 'BUSY', `Another ${rest.kind} of ${rest.database} is running.`, {
          hint: 'Wait until it has ended.',
        })
      }
      const at = now()
      const job: Job = { id: ticketId(at, 8), ...rest, state: 'running', startedAt: at.toISOString() }
      set(job)
      const kept = keep(job)
      const working = work(job, run, kept).then(() => forget(job.database))
      running.add(working)
      void working.then(() => running.delete(working))
      await kept
      return job
    },
    find: async (database, id) => {
      const own = jobs.get(id)
      return own?.database === database ? own : records.find(database, id)
    },
    async list(database) {
      const all = new Map((await records.list(database)).map((job) => [job.id, job]))
      for (const job of jobs.values()) if (job.database === database) all.set(job.id, job)
      return [...all.values()].sort((a, b) => (a.id < b.id ? 1 : -1))
    },
    interrupted: (database) => records.interrupted(database),
    own: () => [...jobs.values()].reverse(),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async close() {
      closing.abort()
      // A storage that hangs is not waited for: then the job is on record as one that was interrupted.
      await Promise.race([Promise.all(running), delay(CLOSE_MS, undefined, { ref: false })])
    },
  }
}
