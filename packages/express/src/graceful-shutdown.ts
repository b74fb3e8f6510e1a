import type { Server } from 'node:http'
import {
  type ClosableServer,
  createClosing,
  type Duration,
  onStopSignal,
  parseDuration,
  refuseUnknown,
  type SqliteBackup,
} from '@sqlite-backup/core'

export interface GracefulShutdownOptions {
  /** The engine, from `openBackup()`. It is closed with the app. */
  readonly backup: SqliteBackup
  /** Runs when the last request is answered and before the last backup: closes the database, and whatever else the app has open. */
  readonly onDrained?: () => unknown
  /** A last backup when something changed since the one before, or none. @default 'if-changed' */
  readonly lastBackup?: 'if-changed' | false
  /** How long closing may take, requests and last backup included. @default `stop.deadline` of the config, or what the platform allows */
  readonly deadline?: Duration
  /** Whether SIGTERM and SIGINT shut the app down; else only a call does. @default true */
  readonly signals?: boolean
}

const known = ['backup', 'onDrained', 'lastBackup', 'deadline', 'signals']

/**
 * Ends an app on SIGTERM and SIGINT: takes no new connections, answers the requests that are in, then makes a last backup
 * if anything changed. Neither a keep-alive connection nor a storage that hangs keeps it beyond its deadline.
 *
 * @example
 * const server = app.listen(3000)
 * gracefulShutdown(server, { backup, onDrained: () => db.close() })
 *
 * @returns a function that does the same without a signal; it rejects with what `onDrained` throws
 * @throws BackupError `USAGE`
 */
export function gracefulShutdown(
  server: ClosableServer & Pick<Server, 'close'>,
  options: GracefulShutdownOptions,
): () => Promise<void> {
  refuseUnknown('gracefulShutdown()', Object.keys(options), known)
  const { backup, onDrained, lastBackup, deadline, signals = true } = options
  const closing = createClosing(server, backup, {
    ...(deadline === undefined ? {} : { deadlineMs: parseDuration(deadline) }),
    ...(lastBackup === undefined ? {} : { backup: lastBackup }),
  })
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => {
    stopped ??= closing
      .around(async () => {
        await closed(server)
        await onDrained?.()
      })
      .finally(stopListening)
    return stopped
  }
  // Who asks for a shutdown gets it, whether or not something else in the process listens to signals, too.
  const stopListening = signals ? onStopSignal(stop, { whenAppListens: 'join' }) : () => {}
  return stop
}

/** Resolves when no connection is left, also when somebody else has closed the server. */
function closed(server: Pick<Server, 'close'>): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => {
      if (error === undefined || (error as NodeJS.ErrnoException).code === 'ERR_SERVER_NOT_RUNNING') resolve()
      else reject(error)
    })
  })
}
