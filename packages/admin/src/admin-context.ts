import type { AuditLog, Logger, SqliteBackup, Storage } from '@sqlite-backup/core'
import type { ActivityTracker } from './activity.ts'
import type { FactCache } from './facts/fact-cache.ts'
import type { Job, Jobs } from './jobs.ts'
import type { Patience } from './patience.ts'
import type { EventStream } from './web/event-stream.ts'
import { withPatience } from './with-patience.ts'

/** What every handler works with. */
export interface AdminContext {
  readonly engine: SqliteBackup
  /** How long pages wait for a storage. */
  readonly patience: Patience
  /** Nobody else has this engine: no schedule of it runs, and no stop of the app closes it. */
  readonly ownsEngine: boolean
  readonly audit: AuditLog
  readonly jobs: Jobs
  readonly activity: ActivityTracker
  readonly facts: FactCache
  /** Databases whose overview was read before. */
  readonly looked: Set<string>
  /** What processes before this one did not finish, as it was found at mount: the first view has no request left for it. */
  readonly leftBehind: ReadonlyMap<string, Promise<readonly Job[]>>
  /** Databases of which it is being written down whether restores need two people. */
  readonly keepingRule: Set<string>
  /** Pages that are open and listen. */
  readonly streams: Set<EventStream>
  /** How many people a restore in place needs. */
  readonly approvals: 1 | 2
  /** Whoever mounted the admin said so: it is no default. */
  readonly isApprovalsStated: boolean
  /** Like `production`. */
  readonly environment: string | undefined
  readonly log: Logger | undefined
  readonly now: () => Date
}

/** A storage that has a name. */
export interface NamedStorage {
  readonly name: string
  readonly storage: Storage
}

/** For what the admin itself reads and writes; the engine has its own. */
export function storagesOf({ engine, patience }: Pick<AdminContext, 'engine' | 'patience'>): readonly NamedStorage[] {
  return engine.storages.map((name) => ({ name, storage: withPatience(engine.storage(name), name, patience) }))
}
