import {
  type Config,
  createClosing,
  createEngine,
  type Duration,
  type Logger,
  onStopSignal,
  parseDuration,
  type RestoreIfMissingOptions,
  refuseUnknown,
  resolveConfig,
  type SqliteBackup,
  shareEngine,
  stderrLogger,
} from '@sqlite-backup/core'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { withoutFastifys } from './without-fastifys.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The engine of `@sqlite-backup/fastify`: `await app.sqliteBackup.backup('app')`. */
    sqliteBackup: SqliteBackup
  }
}

export interface SqliteBackupOptions {
  /** The configuration. @default the project's config file, and the environment */
  readonly config?: Config
  /** An engine that is open already, instead of `config`. The plugin closes it. */
  readonly backup?: SqliteBackup
  /** What a start does with a database that is missing, or older than its newest backup; `false`: nothing. @default 'if-missing' */
  readonly restore?: RestoreIfMissingOptions['restore']
  /** What a start does when a database is missing and no storage has a backup of it. @default 'start-empty' */
  readonly onMissingBackup?: 'start-empty' | 'fail'
  /** Runs after the restore and before every later plugin, and may take as long as it needs: migrations go here. */
  readonly migrate?: (backup: SqliteBackup) => unknown
  /** Whether the jobs of the config run while the app listens. @default true */
  readonly schedules?: boolean
  /** What happens when the app closes. */
  readonly close?: SqliteBackupCloseOptions
  /** Whether SIGTERM and SIGINT close the app, when nobody else in the process listens to them. @default true */
  readonly signals?: boolean
}

export interface SqliteBackupCloseOptions {
  /** A last backup when something changed since the one before, or none. @default 'if-changed' */
  readonly backup?: 'if-changed' | false
  /** How long closing may take, requests and last backup included. @default `stop.deadline` of the config, or what the platform allows */
  readonly deadline?: Duration
}

const known = ['config', 'backup', 'restore', 'onMissingBackup', 'migrate', 'schedules', 'close', 'signals']
const knownOfClose = ['backup', 'deadline']

const plugin: FastifyPluginAsync<SqliteBackupOptions> = async (app, options) => {
  const given = Object.keys(withoutFastifys(options))
  refuseUnknown('@sqlite-backup/fastify', given, known, 'What is in a config file goes under `config`.')
  refuseUnknown('`close` of @sqlite-backup/fastify', Object.keys(options.close ?? {}), knownOfClose)
  app.register(
    untimed(async () => {
      const backup = await openAndPrepare(app, options)
      return fp(async (instance) => attach(instance, backup, options), { name: '@sqlite-backup/fastify:attached' })
    }),
  )
}

/**
 * Keeps the databases of a Fastify app safe: restores those that are missing before any later plugin opens them, runs the
 * schedules while the app listens, and makes a last backup when it closes. Register it first.
 *
 * @example
 * import sqliteBackup from '@sqlite-backup/fastify'
 *
 * app.register(sqliteBackup) // with a config file, or the environment
 * app.register(database) // opens ./data/app.db: it is there, however long the restore took
 */
export const sqliteBackup: FastifyPluginAsync<SqliteBackupOptions> = fp(plugin, {
  name: '@sqlite-backup/fastify',
  fastify: '5.x',
})

/**
 * Fastify gives a plugin 10 s (`pluginTimeout`), and a restore takes what it takes. The time runs from when the plugin
 * function is called, and a promise of a function is waited for before that. It must begin its work when it is asked
 * (`then`) and not before: a promise that fails early would be an unhandled rejection.
 */
function untimed(load: () => Promise<FastifyPluginAsync>): Promise<{ default: FastifyPluginAsync }> {
  const lazy: PromiseLike<{ default: FastifyPluginAsync }> = {
    // biome-ignore lint/suspicious/noThenProperty: a thenable is what this is
    then: (resolve, reject) =>
      load()
        .then((plugin) => ({ default: plugin }))
        .then(resolve, reject),
  }
  // Fastify asks for `then` only; its types ask for all of a promise.
  return lazy as Promise<{ default: FastifyPluginAsync }>
}

async function openAndPrepare(app: FastifyInstance, options: SqliteBackupOptions): Promise<SqliteBackup> {
  const { restore, onMissingBackup, migrate } = options
  const backup = options.backup ?? (await open(app, options.config))
  try {
    await backup.restoreIfMissing({
      ...(restore === undefined ? {} : { restore }),
      ...(onMissingBackup === undefined ? {} : { onMissingBackup }),
    })
    await migrate?.(backup)
    return backup
  } catch (error) {
    // What is on the disk now is not what should be: it must not become the newest backup.
    await backup.close()
    throw error
  }
}

async function open(app: FastifyInstance, config: Config | undefined): Promise<SqliteBackup> {
  const resolved = await resolveConfig({ config })
  const log = resolved.log ?? loggerOf(app)
  return shareEngine(resolved, () => createEngine({ ...resolved, log }))
}

/** Without a logger Fastify's is one that does nothing, five times the same. Warnings must reach somebody all the same. */
function loggerOf({ log }: FastifyInstance): Logger {
  return log.info === log.error ? { ...stderrLogger(), info: () => {} } : log
}

function attach(app: FastifyInstance, backup: SqliteBackup, options: SqliteBackupOptions): void {
  const { schedules = true, signals = true, close = {} } = options
  const deadlineMs = close.deadline === undefined ? backup.stopDeadlineMs : parseDuration(close.deadline)
  const closing = createClosing(app.server, backup, {
    deadlineMs,
    ...(close.backup === undefined ? {} : { backup: close.backup }),
  })
  let stopListening = (): void => {}
  const log = loggerOf(app)
  const warnAtExit = (): void => {
    log.warn({}, 'The app ended before app.close() was through: this plugin could not make its last backup.')
  }
  app.decorate('sqliteBackup', backup)

  // Not run by inject() and ready(): a test starts no schedules.
  app.addHook('onListen', async () => {
    if (close.backup !== false) process.once('exit', warnAtExit)
    if (signals) stopListening = listen(app, log)
    if (schedules) await backup.start()
  })

  app.addHook('preClose', async () => closing.begin())

  // Registered first, it runs last: by then the app has closed its database.
  app.addHook('onClose', async () => {
    await closing.end()
    process.off('exit', warnAtExit)
    stopListening()
  })
}

function listen(app: FastifyInstance, log: Logger): () => void {
  return onStopSignal(
    async (signal, { appListens }) => {
      if (!appListens) await app.close()
      else log.info({ signal }, `${signal} is left to the app's own listener: it should call app.close().`)
    },
    { whenAppListens: 'join' },
  )
}
