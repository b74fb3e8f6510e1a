import type { Tier, Trigger } from './catalog/manifest.ts'
import type { SerializedError } from './errors.ts'
import type { LostRows } from './guard/guard-api.ts'
import type { CheckLevel } from './verify/record.ts'

/** What every event carries. */
export interface EventBase {
  /** One id for everything that one call or one scheduled run did. */
  readonly runId: string
  readonly database: string
  /** ISO 8601, UTC. */
  readonly at: string
}

/** All events, by name. Payloads are plain JSON: they can be logged, queued and sent as they are. */
export interface BackupEvents {
  /** A backup run began. */
  readonly 'backup.started': EventBase & { readonly trigger: Trigger; readonly tier: Tier | 'scheduled' }
  /** Bytes moved, at most a few times a second. */
  readonly 'backup.progress': EventBase & {
    readonly phase: 'capture' | 'upload'
    readonly storage?: string
    readonly doneBytes: number
    readonly totalBytes: number
  }
  /** The backup is in every storage it had to reach. */
  readonly 'backup.succeeded': EventBase & BackupSummary
  /** It did not get where it had to. */
  readonly 'backup.failed': EventBase & { readonly error: SerializedError; readonly id?: string }
  /** It is whole in the spool, and goes up to these storages with a later run or start. */
  readonly 'backup.kept': EventBase & { readonly id: string; readonly storages: readonly string[] }
  /** Nothing had changed since the backup with this id, and these storages hold it, so none was made. */
  readonly 'backup.unchanged': EventBase & {
    readonly id: string
    readonly trigger: Trigger
    readonly storages: readonly string[]
  }
  /** A person deleted it from this storage. */
  readonly 'backup.deleted': EventBase & { readonly id: string; readonly storage: string; readonly actor?: string }
  /** One storage could not take it. The run may still succeed elsewhere. */
  readonly 'storage.failed': EventBase & {
    readonly storage: string
    readonly operation: string
    readonly error: SerializedError
  }
  /** A request to a storage is tried again. */
  readonly 'storage.retried': {
    /** ISO 8601, UTC. */
    readonly at: string

    readonly storage: string
    readonly operation: string
    readonly attempt: number
    readonly error: SerializedError
  }
  /** The newest backup in a storage is not an ancestor of this database: two writers share a parent. */
  readonly 'lineage.forked': EventBase & { readonly storage: string; readonly tips: readonly string[] }
  /** A storage holds something newer than the database that is here, and the app goes on with what is here. */
  readonly 'lineage.behind': EventBase & { readonly storage: string; readonly tips: readonly string[] }
  readonly 'restore.started': EventBase & { readonly id: string; readonly target: string; readonly storage: string }
  readonly 'restore.progress': EventBase & {
    readonly phase: string
    readonly doneBytes: number
    readonly totalBytes: number
  }
  readonly 'restore.succeeded': EventBase & {
    readonly id: string
    readonly target: string
    readonly how: string
    readonly durationMs: number
    readonly pausedMs: number
    readonly safetyCopy?: string
  }
  readonly 'restore.failed': EventBase & {
    readonly error: SerializedError
    readonly id?: string
    readonly target: string
  }
  /** It begins in place without the approval of a second person, though this database wants one. */
  readonly 'restore.brokeGlass': EventBase & {
    readonly id: string
    readonly target: string
    readonly actor: string
    readonly reason: string
  }
  /** A newer backup was damaged and an older, good one was restored instead. */
  readonly 'restore.fellBack': EventBase & { readonly id: string; readonly error: SerializedError }
  /** What will be deleted from a storage, at once or, when announced, at `deletesFrom`. */
  readonly 'prune.planned': EventBase & {
    readonly storage: string
    readonly remove: number
    readonly removeSizeBytes: number
    readonly keep: number
    readonly deletesFrom?: string
  }
  readonly 'prune.succeeded': EventBase & {
    readonly storage: string
    readonly deleted: number
    readonly deletedSizeBytes: number
  }
  readonly 'prune.failed': EventBase & {
    readonly storage: string
    readonly deleted: number
    readonly error: SerializedError
  }
  /** The backup of before is where it has to be, and the migrator begins. */
  readonly 'migration.started': EventBase & {
    readonly pending: readonly string[]
    readonly backupId: string
    readonly isBackupReused: boolean
  }
  /** Compared with before, and kept. */
  readonly 'migration.succeeded': EventBase & {
    readonly applied: readonly string[]
    readonly backupId: string
    readonly durationMs: number
  }
  /** It failed or lost rows, and the database is again as it was before. */
  readonly 'migration.rolledBack': EventBase & {
    readonly pending: readonly string[]
    readonly lost: readonly LostRows[]
    readonly reasons: readonly string[]
    readonly backupId: string
    /** False: the migrator had undone it by itself. */
    readonly isRestored: boolean
    readonly durationMs: number
    /** How long writers were kept out. */
    readonly pausedMs: number
    readonly safetyBackup?: string
  }
  /** It lost rows and was left as it is: `rowLoss: 'fail'`. */
  readonly 'migration.failed': EventBase & { readonly pending: readonly string[]; readonly error: SerializedError }
  readonly 'verify.progress': EventBase & {
    readonly id: string
    readonly doneBytes: number
    readonly totalBytes: number
  }
  readonly 'verify.succeeded': EventBase & { readonly id: string; readonly storage: string; readonly level: CheckLevel }
  readonly 'verify.failed': EventBase & {
    readonly id: string
    readonly storage: string
    readonly level: CheckLevel
    readonly error: SerializedError
  }
}

export type EventName = keyof BackupEvents

export interface BackupSummary {
  readonly id: string
  readonly tier: Tier
  readonly trigger: Trigger
  readonly storages: readonly string[]
  readonly plainSizeBytes: number
  readonly storedSizeBytes: number
  readonly durationMs: number
}

/** The smallest part of pino's interface; `console`-like loggers with (object, message) fit too. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export type Listener<N extends EventName> = (event: BackupEvents[N]) => void

export interface EventBus {
  on<N extends EventName>(name: N, listener: Listener<N>): () => void
  onAny(listener: (name: EventName, event: BackupEvents[EventName]) => void): () => void
  emit<N extends EventName>(name: N, event: BackupEvents[N]): void
}

/** A listener never breaks a run: what it throws is logged. */
export function createEventBus(logger: Logger | undefined): EventBus {
  const listeners = new Map<EventName, Set<(event: never) => void>>()
  const anyListeners = new Set<(name: EventName, event: BackupEvents[EventName]) => void>()
  const guarded = (name: EventName, run: () => void): void => {
    try {
      run()
    } catch (error) {
      logger?.error({ err: error, event: name }, 'A listener of sqlite-backup threw')
    }
  }
  return {
    on(name, listener) {
      const set = listeners.get(name) ?? new Set()
      listeners.set(name, set)
      set.add(listener as (event: never) => void)
      return () => set.delete(listener as (event: never) => void)
    },
    onAny(listener) {
      anyListeners.add(listener)
      return () => anyListeners.delete(listener)
    },
    emit(name, event) {
      for (const listener of listeners.get(name) ?? []) guarded(name, () => listener(event as never))
      for (const listener of anyListeners) guarded(name, () => listener(name, event))
    },
  }
}
