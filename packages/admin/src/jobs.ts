import { randomBytes } from 'node:crypto'
import { type SerializedError, serializeError } from '@sqlite-backup/core'
import { AdminError } from './web/admin-error.ts'

export type JobKind = 'backup' | 'verify' | 'restore'

/** Something long that a person started here: the answer to the request says where to look for it. */
export interface Job {
  readonly id: string
  readonly kind: JobKind
  readonly database: string
  /** The backup it is about. */
  readonly backup?: string
  readonly actor: string
  readonly state: 'running' | 'succeeded' | 'failed'
  /** ISO 8601, UTC. */
  readonly startedAt: string
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
}

export interface StartJob {
  readonly kind: JobKind
  readonly database: string
  readonly backup?: string
  readonly actor: string
  readonly run: (signal: AbortSignal) => Promise<JobResult>
}

export interface Jobs {
  /** @throws AdminError `BUSY` while one of this kind runs for this database */
  start(job: StartJob): Job
  find(id: string): Job | undefined
  /** The newest first. */
  list(): readonly Job[]
  onChange(listener: () => void): () => void
  /** Aborts what runs and waits for it. */
  close(): Promise<void>
}

const KEPT = 50

/** Jobs of this process. What they did is in the audit log too; here is how they go on. */
export function createJobs(now: () => Date): Jobs {
  const jobs = new Map<string, Job>()
  const listeners = new Set<() => void>()
  const running = new Set<Promise<void>>()
  const closing = new AbortController()
  const set = (job: Job): void => {
    jobs.set(job.id, job)
    for (const listener of listeners) listener()
  }
  return {
    start({ run, ...rest }) {
      const other = [...jobs.values()].find(
        (job) => job.state === 'running' && job.kind === rest.kind && job.database === rest.database,
      )
      if (other !== undefined) {
        throw new AdminError(409, 'BUSY', `Another ${rest.kind} of ${rest.database} is running.`, {
          hint: 'Wait until it has ended.',
        })
      }
      const job: Job = {
        id: randomBytes(12).toString('hex'),
        ...rest,
        state: 'running',
        startedAt: now().toISOString(),
      }
      set(job)
      const work = run(closing.signal).then(
        (result) => set({ ...job, state: 'succeeded', endedAt: now().toISOString(), result }),
        (error: unknown) =>
          set({ ...job, state: 'failed', endedAt: now().toISOString(), error: serializeError(error) }),
      )
      running.add(work)
      void work.then(() => running.delete(work))
      const ended = [...jobs.values()].filter(({ state }) => state !== 'running')
      for (const { id } of ended.slice(0, Math.max(0, ended.length - KEPT))) jobs.delete(id)
      return job
    },
    find: (id) => jobs.get(id),
    list: () => [...jobs.values()].reverse(),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async close() {
      closing.abort()
      await Promise.all(running)
    },
  }
}
