import type { Secret } from '../config/secret.ts'
import type { EventBus, Logger } from '../events.ts'
import { type PingOptions, ping } from './ping.ts'

/** Said wherever somebody may read it, until something is configured. */
export const nobodyIsTold = 'Nobody will be told if backups stop. Set HEARTBEAT_URL.'

export interface Heartbeat {
  /** Waits for what is on its way, and gives up what takes longer. */
  close(deadlineMs: number): Promise<void>
}

/**
 * Tells the heartbeat URL of every backup: start, success (also when nothing had changed), failure. With several
 * databases it hears of a success only when none is failing, so that one cannot hide another.
 */
export function createHeartbeat(
  url: Secret,
  {
    bus,
    log,
    ...settings
  }: { readonly bus: EventBus; readonly log?: Logger } & Pick<PingOptions, 'timeoutMs' | 'attempts' | 'pauseMs'>,
): Heartbeat {
  const closing = new AbortController()
  const failing = new Map<string, string>()
  // One after the other, so that a start never overtakes its end.
  let last: Promise<void> = Promise.resolve()

  const tell = (suffix: PingOptions['suffix'], body?: string): void => {
    last = last.then(async () => {
      const target = url.reveal()
      if (target === undefined) return
      const options = { ...settings, suffix, signal: closing.signal, ...(body === undefined ? {} : { body }) }
      const problem = await ping(target, options)
      if (problem !== undefined) log?.warn({ heartbeat: suffix }, `The heartbeat could not be told. ${problem}`)
    })
  }
  const succeeded = (database: string): void => {
    failing.delete(database)
    const others = [...failing.values()]
    if (others.length === 0) tell('')
    else tell('/fail', others.join('\n'))
  }

  bus.on('backup.started', () => tell('/start'))
  bus.on('backup.succeeded', ({ database }) => succeeded(database))
  bus.on('backup.unchanged', ({ database }) => succeeded(database))
  bus.on('backup.failed', ({ database, error }) => {
    failing.set(database, `${database}: ${error.code}: ${error.message}`)
    tell('/fail', [...failing.values()].join('\n'))
  })

  return {
    async close(deadlineMs) {
      const timer = setTimeout(() => closing.abort(), Math.max(0, deadlineMs))
      await last
      clearTimeout(timer)
    },
  }
}
