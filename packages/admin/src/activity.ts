import type { BackupEvents, EventName, SqliteBackup } from '@sqlite-backup/core'

/** Work that goes on in this process right now, whoever asked for it. */
export interface Activity {
  readonly runId: string
  readonly kind: 'backup' | 'restore' | 'verify'
  readonly database: string
  /** ISO 8601, UTC. */
  readonly startedAt: string
  /** Like `capture` or `upload`. */
  readonly phase?: string
  readonly doneBytes?: number
  readonly totalBytes?: number
  /** How long it should still take, in ms, at the speed so far. */
  readonly remainingMs?: number
}

/** The newest thing that went wrong in this process. */
export interface LastFailure {
  readonly at: string
  readonly kind: string
  readonly database: string
  readonly code: string
  readonly message: string
}

export interface ActivityTracker {
  running(): readonly Activity[]
  /** The newest failure of a database since this process started that no success followed. */
  lastFailure(database: string): LastFailure | undefined
  /** Called after every event; the name says which. */
  onChange(listener: (name: EventName) => void): () => void
  close(): void
}

interface Run extends Activity {
  readonly startedAtMs: number
  readonly phaseAtMs: number
}

/** A good backup says nothing about one that failed its verification. */
function isOver(failure: LastFailure | undefined, succeeded: Activity['kind']): boolean {
  return failure?.kind === succeeded || (failure?.kind === 'restore' && succeeded === 'backup')
}

/** Follows the events of an engine, so that a page can say what is going on. */
export function trackActivity(engine: Pick<SqliteBackup, 'onAny'>, now: () => Date): ActivityTracker {
  const runs = new Map<string, Run>()
  const failures = new Map<string, LastFailure>()
  const listeners = new Set<(name: EventName) => void>()

  const stop = engine.onAny((name, event) => {
    note(name, event)
    for (const listener of listeners) listener(name)
  })

  return {
    running: () => [...runs.values()].map(({ startedAtMs: _, phaseAtMs: __, ...activity }) => activity),
    lastFailure: (database) => failures.get(database),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close() {
      stop()
      listeners.clear()
    },
  }

  function note(name: EventName, event: BackupEvents[EventName]): void {
    const [kind, what] = name.split('.')
    if (kind !== 'backup' && kind !== 'restore' && kind !== 'verify') return
    // No run of its own.
    if (!('runId' in event) || what === 'deleted' || what === 'brokeGlass' || what === 'fellBack') return
    const { runId, database, at } = event
    // A restore makes backups of its own under a run of their own; each ends with one of these.
    if (what === 'succeeded' || what === 'failed' || what === 'kept' || what === 'unchanged' || what === 'skipped') {
      runs.delete(runId)
      if ('error' in event) {
        // Somebody did not want it any more, like a download that was cancelled.
        if (event.error.code === 'ABORTED') return
        failures.set(database, { at, kind, database, code: event.error.code, message: event.error.message })
      } else if (what === 'succeeded' && isOver(failures.get(database), kind)) failures.delete(database)
      return
    }
    const run = runs.get(runId) ?? {
      runId,
      kind,
      database,
      startedAt: at,
      startedAtMs: now().getTime(),
      phaseAtMs: now().getTime(),
    }
    runs.set(runId, 'doneBytes' in event ? progressed(run, event) : run)
  }

  function progressed(
    run: Run,
    event: { readonly doneBytes: number; readonly totalBytes: number; readonly phase?: string },
  ): Run {
    const { doneBytes, totalBytes, phase = run.kind } = event
    const atMs = now().getTime()
    const phaseAtMs = phase === run.phase ? run.phaseAtMs : atMs
    const spentMs = atMs - phaseAtMs
    const { remainingMs: _, ...rest } = run
    // Before a second has gone by, the speed says nothing.
    const isKnown = spentMs >= 1000 && doneBytes > 0 && totalBytes >= doneBytes
    return {
      ...rest,
      phase,
      phaseAtMs,
      doneBytes,
      totalBytes,
      ...(isKnown ? { remainingMs: Math.round((spentMs / doneBytes) * (totalBytes - doneBytes)) } : {}),
    }
  }
}
