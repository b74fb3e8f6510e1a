/**
 * `node --import @sqlite-backup/core/boot server.js`: before any module of the app is evaluated, restores the databases
 * that are missing; then runs the schedules, and makes a last backup when the app stops. What it needs to know is in the
 * config file or in the environment.
 *
 * @packageDocumentation
 */
import { isMainThread } from 'node:worker_threads'
import { resolveConfig } from './config/resolve-config.ts'
import { createEngine } from './engine.ts'
import type { SqliteBackup } from './engine-api.ts'
import { isBackupError, messageOf } from './errors.ts'
import type { Logger } from './events.ts'
import { killChildren } from './rpc/spawn-child.ts'
import { shareEngine } from './shared-engine.ts'
import { bootedVariable, shouldBoot } from './start/should-boot.ts'
import { stderrLogger } from './stderr-logger.ts'
import { type BackUpAtExitOptions, backUpAtExit } from './stop/back-up-at-exit.ts'
import { onStopSignal } from './stop/on-stop-signal.ts'

/** tsup puts every entry at the root of dist. */
const lastBackupProcess = new URL(
  import.meta.url.endsWith('.ts') ? './last-backup-process.ts' : './last-backup-process.js',
  import.meta.url,
)
type LastCall = Omit<BackUpAtExitOptions, 'leftMs'>

const { [bootedVariable]: bootedPid } = process.env
if (shouldBoot({ isMainThread, pid: process.pid, main: process.argv[1], bootedPid })) {
  process.env[bootedVariable] = String(process.pid)
  await boot()
}

async function boot(): Promise<void> {
  const fallback = stderrLogger()
  const lastCall = { entry: lastBackupProcess, cwd: process.cwd(), env: { ...process.env } }
  let backup: SqliteBackup | undefined
  try {
    const config = await resolveConfig()
    const log = config.log ?? fallback
    if (config.databases.length === 0) log.warn({}, 'No database is configured: nothing is restored or backed up.')
    const engine = shareEngine(config, () => createEngine({ ...config, log }))
    backup = engine
    await engine.restoreIfMissing()
    await engine.start()
    const { enabled, databases, storages, stop } = config
    const isWanted = enabled && databases.length > 0 && storages.length > 0 && stop.backup !== false
    backUpAtTheEnd(engine, log, isWanted ? lastCall : undefined)
  } catch (error) {
    // An app that starts with the wrong database is worse than one that does not start.
    const hint = isBackupError(error) && error.hint !== undefined ? ` ${error.hint}` : ''
    fallback.error({}, `The app was not started. ${messageOf(error)}${hint}`)
    await backup?.close()
    process.exit(1)
  }
}

function backUpAtTheEnd(backup: SqliteBackup, log: Logger, lastCall: LastCall | undefined): void {
  let isClosed = false
  let isTold = false
  const close = async (): Promise<void> => {
    await backup.close({ backup: 'if-changed' })
    isClosed = true
  }
  const backUpNow = (leftMs: number): void => {
    if (isClosed || lastCall === undefined) return
    // They hold locks and wait for an event loop that does not turn any more.
    killChildren()
    if (backUpAtExit({ ...lastCall, leftMs })) return
    log.warn(
      {},
      'The app ended before its last backup was made, and there was no time for one after it. `sqlite-backup run` waits for it.',
    )
  }
  // `process.exit()`, or an exception that nobody caught.
  process.once('exit', () => {
    if (!isTold) backUpNow(backup.stopDeadlineMs)
  })
  onStopSignal(
    (_signal, { appListens }) => {
      isTold = true
      if (!appListens) return
      const toldAtMs = performance.now()
      // Added now, so that it comes after what the app itself does on `exit`, like closing its database.
      process.once('exit', () => {
        const leftMs = backup.stopDeadlineMs - (performance.now() - toldAtMs)
        // Whoever would have killed the app by now has not.
        backUpNow(leftMs > 0 ? leftMs : backup.stopDeadlineMs)
      })
    },
    { whenAppListens: 'join' },
  )
  onStopSignal(
    async (_signal, { appListens }) => {
      if (!appListens) return await close()
      // How long the app takes is not known, nor whether it waits for anybody: what there is now goes up at once.
      for (const database of backup.databases) {
        try {
          await backup.backup(database, { tier: 'shutdown', trigger: 'shutdown', ifChanged: true })
        } catch (error) {
          if (!isBackupError(error, 'DATABASE_MISSING') && !isBackupError(error, 'DATABASE_EMPTY')) {
            log.warn({ database }, `The last backup of ${database}: ${messageOf(error)}`)
          }
        }
      }
    },
    { whenAppListens: 'join', last: true },
  )
  process.once('beforeExit', () => void close())
}
