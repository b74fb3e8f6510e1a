import {
  createAuditLog,
  createEngine,
  type Duration,
  type Logger,
  parseDuration,
  resolveConfig,
  type SqliteBackup,
} from '@sqlite-backup/core'
import { keepRule } from './actions/restore-request.ts'
import { trackActivity } from './activity.ts'
import { type AdminContext, storagesOf } from './admin-context.ts'
import { answer } from './answer.ts'
import type { Authorize } from './authorize.ts'
import { createFactCache } from './facts/fact-cache.ts'
import { createJobRecords } from './job-records.ts'
import { createJobs, type Job } from './jobs.ts'
import { type PasswordAuth, type PasswordInput, password } from './password.ts'
import { createPatience } from './patience.ts'

export interface AdminOptions<Input = Request> {
  /** Who may do what; `password('VARIABLE')` for apps without a login. @default a password in SQLITE_BACKUP_ADMIN_PASSWORD */
  readonly authorize?: Authorize<Input> | PasswordAuth
  /** The engine of the app. @default one of its own, from the config file and the environment */
  readonly backup?: SqliteBackup | Promise<SqliteBackup>
  /** How many people a restore in place needs: with 2, another one approves within 30 minutes. @default 1 */
  readonly approvals?: 1 | 2
  /** Shown on every page, like `production`. @default process.env.NODE_ENV */
  readonly environment?: string
  /** Where browsers see the admin, when a proxy strips a part of the path. @default where it is mounted */
  readonly publicPath?: string
  /** Other origins whose pages may send actions, like `https://admin.example.com`. @default none */
  readonly trustedOrigins?: readonly string[]
  /** How long a page waits for a storage that neither answers nor fails; then it is shown as not answering. @default '8s' */
  readonly storageWait?: Duration
  /** Hears what went wrong inside; the page does not show it. @default none */
  readonly log?: Logger
  readonly now?: () => Date
}

/** What the host knows of a request. */
export interface HostRequest<Input> {
  /** What `authorize` is asked with. */
  readonly input: Input
  /** Where the admin is mounted, without a slash at the end. */
  readonly basePath: string
  /** IP address of the client. */
  readonly address?: string | undefined
}

export interface Admin<Input> {
  /** Answers one request below `basePath`. Never throws. */
  handle(request: Request, host: HostRequest<Input>): Promise<Response>
  /** Ends open pages, aborts jobs, and closes the engine when it is its own. */
  close(): Promise<void>
}

const defaultStorageWait: Duration = '8s'

/** The environment variable that is enough to switch the admin on. */
export const passwordVariable = 'SQLITE_BACKUP_ADMIN_PASSWORD'

/**
 * The admin for any host that can give a `Request` and send a `Response`. Closed by default.
 *
 * @example
 * const admin = createAdmin({ backup, authorize: (request) => whoIs(request) })
 * const response = await admin.handle(request, { input: request, basePath: '/admin/backups' })
 * @throws Error when nobody says who may enter
 */
export function createAdmin<Input = Request>(options: AdminOptions<Input> = {}): Admin<Input> {
  checkOptions(options)
  const { approvals = 1, publicPath, trustedOrigins = [], log, now = () => new Date() } = options
  const given = options.authorize ?? passwordFromEnvironment()
  if (given === undefined) throw new Error(closedText)
  const isPassword = typeof given !== 'function'
  if (isPassword && approvals === 2) {
    throw new Error('approvals: 2 needs to know people apart, and a password is one person. Give authorize a function.')
  }
  const authorize = (host: HostRequest<Input>, request: Request): ReturnType<Authorize<Input>> =>
    isPassword
      ? given.authorize({ headers: request.headers, address: host.address } satisfies PasswordInput)
      : given(host.input)

  let opened: Promise<AdminContext> | undefined
  let isClosed = false
  const open = (): Promise<AdminContext> => {
    opened ??= openContext(options, now).catch((error: unknown) => {
      // The next request tries again: a config may be mended.
      opened = undefined
      throw error
    })
    return opened
  }
  // The command line has to know before anybody looks at a page.
  if (approvals === 2) {
    open().then(
      (context) => {
        if (!isClosed) for (const database of context.engine.databases) keepRule(context, database)
      },
      (error: unknown) => log?.warn({ err: error }, 'That restores need two people could not be written down yet'),
    )
  }

  return {
    handle: (request, host) =>
      answer(request, {
        open,
        isClosed: () => isClosed,
        authorize: () => authorize(host, request),
        basePath: trimSlash(host.basePath),
        publicPath: trimSlash(publicPath ?? host.basePath),
        trustedOrigins,
        log,
      }),
    async close() {
      isClosed = true
      if (opened === undefined) return
      const context = await opened
      for (const stream of [...context.streams]) stream.close()
      context.activity.close()
      await context.jobs.close()
      if (options.backup === undefined) await context.engine.close()
    },
  }

  function passwordFromEnvironment(): PasswordAuth | undefined {
    return process.env[passwordVariable] === undefined ? undefined : password(passwordVariable)
  }
}

const closedText = `backupAdmin() is closed until it knows who may enter. Add the three lines of your login:

  backupAdmin({
    authorize: (req) => req.user?.isAdmin ? { actor: { id: req.user.email }, permissions: 'all' } : null,
  })

Without a login, set ${passwordVariable}, or name another variable: authorize: password('ADMIN_PASSWORD').`

const knownOptions = new Set([
  'authorize',
  'backup',
  'approvals',
  'environment',
  'publicPath',
  'trustedOrigins',
  'storageWait',
  'log',
  'now',
])

function checkOptions(options: AdminOptions<never>): void {
  for (const name of Object.keys(options)) {
    if (!knownOptions.has(name)) {
      throw new Error(`backupAdmin() has no option "${name}". It has: ${[...knownOptions].join(', ')}.`)
    }
  }
  const { approvals, publicPath, trustedOrigins = [], storageWait } = options
  if (storageWait !== undefined) parseDuration(storageWait)
  if (approvals !== undefined && approvals !== 1 && approvals !== 2) throw new Error('approvals should be 1 or 2.')
  if (publicPath !== undefined && !/^\/[^\s"'<>?#\\]*$/.test(publicPath)) {
    throw new Error('publicPath should be a path that begins with a slash, like /ops/backups.')
  }
  for (const origin of trustedOrigins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw new Error(
        `trustedOrigins should have origins like https://admin.example.com, not ${JSON.stringify(origin)}.`,
      )
    }
  }
}

async function openContext(options: AdminOptions<never>, now: () => Date): Promise<AdminContext> {
  const engine = await (options.backup ?? resolveConfig().then(createEngine))
  const facts = createFactCache(now)
  const activity = trackActivity(engine, now)
  activity.onChange((name) => {
    if (!name.endsWith('.progress')) facts.clear()
  })
  const { log, approvals = 1 } = options
  const patience = createPatience(parseDuration(options.storageWait ?? defaultStorageWait), now)
  const storages = storagesOf({ engine, patience })
  const jobs = createJobs({ now, records: createJobRecords(storages, now), log })
  // Where two people are wanted, the first view reads their requests.
  const leftBehind = approvals === 1 ? [] : engine.databases.map((name) => [name, foundBehind(name)] as const)
  return {
    engine,
    patience,
    ownsEngine: options.backup === undefined,
    facts,
    looked: new Set(),
    keepingRule: new Set(),
    activity,
    jobs,
    leftBehind: new Map(leftBehind),
    audit: createAuditLog({ storages, now, log }),
    streams: new Set(),
    approvals,
    isApprovalsStated: options.approvals !== undefined,
    environment: options.environment ?? process.env.NODE_ENV,
    log,
    now,
  }

  async function foundBehind(database: string): Promise<readonly Job[]> {
    try {
      return await jobs.interrupted(database)
    } catch (error) {
      log?.warn({ err: error, database }, 'What was interrupted before this start could not be read yet')
      return []
    }
  }
}

function trimSlash(path: string): string {
  return path.replace(/\/+$/, '')
}
