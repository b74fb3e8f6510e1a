import type { SqliteBackup } from '../engine-api.ts'
import { type DrainableServer, trackConnections } from './track-connections.ts'
import { LONGEST_MS, within } from './within.ts'

export interface ClosingOptions {
  /** How long closing may take, requests and last backup included, in ms. @default `stopDeadlineMs` of the engine */
  readonly deadlineMs?: number
  /** A last backup when something changed since the one before, or none. @default 'if-changed' */
  readonly backup?: 'if-changed' | false
}

/** How an app with a server ends, so that there is time for its last backup. */
export interface Closing {
  /** The server is about to close: from now on the time runs, and no connection is waited for longer than half of it. */
  begin(): void
  /** The app has closed its database: the last backup, and the end of the engine. Never throws; twice is once. */
  end(): Promise<void>
  /**
   * Both, around what the app does in between, for a host without a life cycle of its own. Waits for `drain` while there
   * is time; the last backup does not depend on it.
   * @throws what `drain` throws, when all else is done
   */
  around(drain: () => Promise<unknown>): Promise<void>
}

/** The server as far as it must be known: `node:http`, `node:https` and `node:http2` servers are. */
export interface ClosableServer extends DrainableServer {
  readonly listening: boolean
}

/** Parts of the time that closing may take: after the first no request is waited for, after the second no part of the app. */
const CUT_CONNECTIONS_AFTER = 0.5
const LAST_CALL_AFTER = 0.7
/** A part of the app that used up all the time leaves this much for saying so. */
const LEAST_MS = 500

/**
 * Watches a server until it closes. An app that never listened was a test, or did not get that far: what it left behind is
 * not worth a backup.
 */
export function createClosing(server: ClosableServer, backup: SqliteBackup, options: ClosingOptions = {}): Closing {
  const { backup: wanted = 'if-changed' } = options
  const deadlineMs = Math.min(options.deadlineMs ?? backup.stopDeadlineMs, LONGEST_MS)
  const connections = trackConnections(server)
  let hasListened = server.listening
  let sinceMs: number | undefined
  let lastCall: NodeJS.Timeout | undefined
  server.once('listening', () => {
    hasListened = true
  })

  const leftMs = (): number => deadlineMs - (performance.now() - (sinceMs ?? performance.now()))
  const end = (): Promise<void> => {
    clearTimeout(lastCall)
    return backup.close({ backup: hasListened ? wanted : false, deadlineMs: Math.max(leftMs(), LEAST_MS) })
  }
  const begin = (): void => {
    if (sinceMs !== undefined) return
    sinceMs = performance.now()
    if (!hasListened) return
    connections.drain(deadlineMs * CUT_CONNECTIONS_AFTER)
    // Whatever the app still writes, `end` backs up again.
    const call = () => backup.close({ backup: wanted, deadlineMs: Math.max(leftMs(), LEAST_MS), lastCall: true })
    lastCall = setTimeout(() => void call(), deadlineMs * LAST_CALL_AFTER)
  }
  return {
    begin,
    end,
    async around(drain) {
      begin()
      try {
        await within(drain(), leftMs())
      } finally {
        await end()
      }
    },
  }
}
