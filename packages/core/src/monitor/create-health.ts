import { refuseUnknown } from '../config/refuse-unknown.ts'
import type { SqliteBackup, Status, StorageStatus } from '../engine-api.ts'
import { BackupError, messageOf } from '../errors.ts'

/** What a health handler answers; the body is of the shape of https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06 */
export interface HealthAnswer {
  readonly statusCode: 200 | 503
  readonly body: HealthBody
}

export interface HealthBody {
  readonly status: 'pass' | 'warn' | 'fail'
  /** By `<database>:<storage>`. */
  readonly checks?: Readonly<Record<string, readonly HealthCheck[]>>
  /** What should be known though nothing is wrong. */
  readonly notes?: readonly string[]
  readonly output?: string
}

export interface HealthCheck {
  readonly status: 'pass' | 'fail'
  readonly componentType: 'datastore'
  /** Age of the newest backup. */
  readonly observedValue?: number
  readonly observedUnit?: 'ms'
  readonly time: string
  readonly output?: string
}

export interface HealthOptions {
  /** Older than this is unhealthy, in ms. @default `health.maxAge` of the config */
  readonly maxAgeMs?: number
  /** For how long an answer about backups is good, in ms: monitors ask often, and each answer costs requests. @default 10000 */
  readonly cacheMs?: number
  /** How long the storages may take, in ms. @default 5000 */
  readonly timeoutMs?: number
}

/** The three questions about an app, each independent of the others. */
export interface Health {
  /** Is the process alive? Knows nothing of backups: an old backup is no reason to restart an app. */
  live(): HealthAnswer
  /** May it get requests? Not while a restore is at work. An old backup is no reason to take an app from its users. */
  ready(): HealthAnswer
  /** Are the backups as they should be? For a monitor that tells a person. */
  backups(): Promise<HealthAnswer>
}

export const healthContentType = 'application/health+json'

const known = ['maxAgeMs', 'cacheMs', 'timeoutMs']

/**
 * What `/livez`, `/readyz` and `/backupz` answer, for whatever serves them.
 * @throws BackupError `USAGE`
 */
export function createHealth(backup: SqliteBackup | undefined, options: HealthOptions = {}): Health {
  refuseUnknown('backupHealth', Object.keys(options), known)
  if (backup === undefined) {
    throw new BackupError('USAGE', 'backupHealth has no engine to ask.', {
      hint: 'In a Fastify app, register @sqlite-backup/fastify before it. Else give it `backup`.',
    })
  }
  const { cacheMs = 10_000, timeoutMs = 5_000, maxAgeMs } = options
  let cached: { readonly answer: Promise<HealthAnswer>; readonly untilMs: number } | undefined
  return {
    live: () => ({ statusCode: 200, body: { status: 'pass' } }),
    ready: () =>
      backup.isRestoring
        ? { statusCode: 503, body: { status: 'fail', output: 'A restore is at work.' } }
        : { statusCode: 200, body: { status: 'pass' } },
    backups() {
      const nowMs = performance.now()
      if (cached === undefined || cached.untilMs <= nowMs) {
        cached = { answer: ask(backup, maxAgeMs, timeoutMs), untilMs: nowMs + cacheMs }
      }
      return cached.answer
    },
  }
}

async function ask(backup: SqliteBackup, maxAgeMs: number | undefined, timeoutMs: number): Promise<HealthAnswer> {
  const signal = AbortSignal.timeout(timeoutMs)
  const timeUp = new Promise<never>((_, reject) => {
    signal.onabort = () => reject(new Error(`The storages did not answer within ${timeoutMs} ms.`))
  })
  try {
    const status = await Promise.race([
      backup.status({ signal, ...(maxAgeMs === undefined ? {} : { maxAgeMs }) }),
      timeUp,
    ])
    return judgeHealth(status)
  } catch (error) {
    return { statusCode: 503, body: { status: 'fail', output: messageOf(error) } }
  } finally {
    timeUp.catch(() => {}) // When the status came first, nobody waits for it.
  }
}

/** `fail` when something is wrong with a backup, `warn` when something should be known. */
export function judgeHealth({ healthy, at, databases, warnings }: Status): HealthAnswer {
  const checks = Object.fromEntries(
    databases.flatMap(({ database, storages }) =>
      storages.map((storage) => [`${database}:${storage.storage}`, [checkOf(storage, at)]]),
    ),
  )
  const notes = warnings.length === 0 ? {} : { notes: warnings }
  if (!healthy) return { statusCode: 503, body: { status: 'fail', checks, ...notes } }
  return { statusCode: 200, body: { status: warnings.length === 0 ? 'pass' : 'warn', checks, ...notes } }
}

function checkOf({ healthy, newest, problems }: StorageStatus, time: string): HealthCheck {
  return {
    status: healthy ? 'pass' : 'fail',
    componentType: 'datastore',
    ...(newest === undefined ? {} : { observedValue: newest.ageMs, observedUnit: 'ms' }),
    time,
    ...(problems.length === 0 ? {} : { output: problems.join(' ') }),
  }
}
