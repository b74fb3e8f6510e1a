import type { Manifest, Tier, Trigger } from './catalog/manifest.ts'
import type { RestoreAtStart } from './config/config.ts'
import type { SerializedError } from './errors.ts'
import type { BackupEvents, EventName, Listener } from './events.ts'
import type { GuardedRun, GuardOptions, GuardResult } from './guard/guard-api.ts'
import type { Storage } from './storage/storage.ts'
import type { CheckLevel, VerifyRecord } from './verify/record.ts'

/** The engine of one configuration: what {@link openBackup} gives. Every call takes an AbortSignal. */
export interface SqliteBackup {
  /** Names of the configured databases. */
  readonly databases: readonly string[]
  /** Names of the configured storages, in order. */
  readonly storages: readonly string[]
  /** A configured storage, with retries: for those who keep something of their own beside the backups. @throws BackupError `USAGE` */
  storage(name: string): Storage
  /** Makes one backup now. @throws BackupError `LOCKED`, `DATABASE_…`, `SPOOL_NO_SPACE`, `BACKUP_FAILED`, `BACKUP_WOULD_BLOCK` */
  backup(database?: string, options?: BackupOptions): Promise<BackupResult>
  /** Newest first. */
  list(database?: string, options?: ListBackupsOptions): Promise<BackupList>
  /** Names of the databases that have something in a storage. */
  listDatabases(options?: FromOptions): Promise<readonly string[]>
  /** One backup: its manifest and what was found out about it since. */
  show(reference: string, options?: FromOptions): Promise<BackupDetails>
  /** What a restore would do: reads only. */
  planRestore(reference: string, options?: RestoreOptions): Promise<RestorePlan>
  /**
   * What a restore of a backup would change in the database: schema and rows, table by table. Copies both to the spool and
   * compares the copies; the database itself is only read.
   * @throws BackupError `BACKUP_NOT_FOUND`, `SPOOL_NO_SPACE`, `IDENTITY_MISSING`, `DATABASE_…`, `BODY_…`, `BACKUP_WOULD_BLOCK`
   */
  compare(reference: string, options?: CompareOptions): Promise<Comparison>
  /** A restore is at work: until it is over, what the app answers may be of the past. */
  readonly isRestoring: boolean
  /** Restores `latest`, an id, a name or a moment. @throws BackupError `BACKUP_NOT_FOUND`, `RESTORE_…`, `BODY_…`, `DECRYPTION_FAILED` */
  restore(reference: string, options?: RestoreOptions): Promise<RestoreResult>
  /** For each database that is absent or empty: restores its newest good backup. What a fresh container calls before it listens. */
  restoreIfMissing(options?: RestoreIfMissingOptions): Promise<readonly RestoreIfMissingResult[]>
  /** Proves one backup to the level asked for, and keeps the result beside its manifest. */
  verify(reference: string, options?: VerifyOptions): Promise<VerifyResult>
  /** Verifies every backup, oldest last; goes on after a failure. */
  verifyAll(options?: VerifyOptions): Promise<readonly VerifyResult[]>
  /**
   * Runs a migration under guard: backs up before, compares after, and rolls back when it failed or lost rows.
   * @throws MigrationRolledBackError; BackupError `MIGRATION_…`, `LOCKED`, and what a backup throws: then nothing was migrated
   */
  guard<T>(
    database: string | undefined,
    migrate: (run: GuardedRun) => T | Promise<T>,
    options?: GuardOptions<T>,
  ): Promise<GuardResult<T>>
  /**
   * Deletes what no rule of `retention` keeps. The first deletion under a policy is announced a day ahead, unless `now`.
   * A storage that fails is in the result; the others go on.
   */
  prune(database?: string, options?: PruneOptions): Promise<PruneResult>
  /** Exempts a backup from pruning, in every storage that has it. @throws BackupError `BACKUP_NOT_FOUND` */
  keep(reference: string, options?: KeepOptions): Promise<KeepResult>
  /** Gives a backup back to the retention policy. @throws BackupError `BACKUP_NOT_FOUND` */
  unkeep(reference: string, options?: FromOptions): Promise<KeepResult>
  /** Whether {@link SqliteBackup.delete} would delete a backup, and what holds it: reads only. */
  planDelete(reference: string, options?: FromOptions): Promise<DeletePlan>
  /**
   * Deletes one backup, in every storage that has it. The newest, the newest checked one, kept ones, the ends of a fork and
   * what is in use stay, whoever asks.
   * @throws BackupError `BACKUP_NOT_FOUND`, `DELETE_REFUSED`, and what a storage throws that cannot be asked: then nothing was deleted
   */
  delete(reference: string, options?: DeleteOptions): Promise<DeleteResult>
  /**
   * Starts what goes on by itself once the app runs: stores what the last stop left in the spool, looks whether a storage
   * has something newer, and then follows the schedules: the jobs, a daily prune when `retention` is stated, a daily check
   * of the newest backup. It waits for none of that. Once is enough; `stop` or `close` ends it, and none of it keeps an app
   * alive.
   * @throws BackupError `USAGE` after a restore that failed; `CLOSED`, once it is
   */
  start(options?: StartOptions): Promise<void>
  /** Ends the schedules, and waits for the runs that have begun. They cannot be started again. */
  stop(): Promise<void>
  /** How safe the data is, per database and storage. */
  status(options?: StatusOptions): Promise<Status>
  /** What is wrong or could be better, each with a hint. */
  doctor(options?: { readonly signal?: AbortSignal }): Promise<readonly Finding[]>
  on<N extends EventName>(name: N, listener: Listener<N>): () => void
  /** Every event, for a log or a stream. */
  onAny(listener: (name: EventName, event: BackupEvents[EventName]) => void): () => void
  /** How long a stop may take, in ms: `stop.deadline`, or what the platform allows. */
  readonly stopDeadlineMs: number
  /**
   * Makes a last backup if it is told to, waits for running work, and lets the child processes go: all of it within
   * `deadlineMs`. Nothing is backed up after a failed {@link SqliteBackup.restoreIfMissing}.
   */
  close(options?: CloseOptions): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface CloseOptions {
  /** `if-changed`: a last backup of what changed, unless `stop.backup` is `false` in the config. @default false */
  readonly backup?: 'if-changed' | false
  /** After that, running work is aborted; what is not stored waits in the spool for the next start. @default stopDeadlineMs */
  readonly deadlineMs?: number
  /**
   * The app is still at work, and time runs out: ends the schedules and makes the backup, but closes nothing. The `close()`
   * that follows backs up what came after. @default false
   */
  readonly lastCall?: boolean
}

export interface FromOptions {
  /** Which storage to read. @default the first one that answers */
  readonly from?: string
  /** @default the only database */
  readonly database?: string
  readonly signal?: AbortSignal
}

export interface BackupOptions {
  /** A tier of its own; without it the highest scheduled tier whose period has no good backup yet. @default 'manual' */
  readonly tier?: Tier | 'scheduled'
  /** A name to find it by later: letters, digits, `.`, `_`, `-`. */
  readonly name?: string
  readonly trigger?: Trigger
  readonly actor?: string
  readonly job?: string
  /** Only these storages. @default all */
  readonly to?: readonly string[]
  /** Do nothing when the database is as it was at the last backup. @default false */
  readonly ifChanged?: boolean
  /** Whether all storages must take it. @default `require` of the config */
  readonly require?: 'all' | 'any'
  /** How long to wait for another run on the same database, in ms. @default 60000 */
  readonly lockWaitMs?: number
  /** Says what would be done, and does nothing. */
  readonly dryRun?: boolean
  readonly signal?: AbortSignal
}

/** `awake`: schedules run. `unchanged`: they looked, and the newest backup is still the database. `asleep`: cleanly stopped, likewise. */
export type BeatState = 'awake' | 'unchanged' | 'asleep'

export interface StorageOutcome {
  readonly storage: string
  readonly ok: boolean
  readonly error?: SerializedError
  /** Encryption at rest, as the store says it is. */
  readonly encryption?: string
}

export interface BackupResult {
  /** `unchanged`: with `ifChanged`. `planned`: with `dryRun`. `off`: SQLITE_BACKUP=off. */
  readonly outcome: 'stored' | 'unchanged' | 'planned' | 'off'
  readonly id: string
  readonly manifest?: Manifest
  readonly storages: readonly StorageOutcome[]
  readonly durationMs: number
  /** How long the WAL was pinned and how long writers were kept out, in ms. */
  readonly pinnedMs: number
  readonly blockedMs: number
  /** Things the caller should know though it succeeded. */
  readonly warnings: readonly string[]
}

export interface ListBackupsOptions extends FromOptions {
  readonly tier?: Tier
  readonly name?: string
  readonly since?: Date
  readonly until?: Date
  /** @default 50 */
  readonly limit?: number
  readonly cursor?: string
  /** Also what was found out about each since: one more request. @default false */
  readonly marks?: boolean
  /** Also whether the history has forked: up to a dozen more requests. @default true on the first page */
  readonly forks?: boolean
}

export interface BackupSummaryEntry {
  readonly id: string
  readonly database: string
  readonly created: string
  readonly tier: Tier
  readonly name?: string
  readonly storedSizeBytes: number
  /** With `marks`. */
  readonly marks?: BackupMarks
}

/** What was found out about a backup since it was made. */
export interface BackupMarks {
  /** The deepest level it passed; absent when it failed. */
  readonly level?: CheckLevel
  /** It failed a verification, and has not passed one as deep since. */
  readonly isBad: boolean
  /** Exempt from pruning. */
  readonly isKept: boolean
}

export interface BackupList {
  readonly storage: string
  readonly database: string
  readonly items: readonly BackupSummaryEntry[]
  readonly cursor?: string
  /** Tips of a fork, when two writers grew from one parent. */
  readonly fork?: readonly string[]
}

export interface BackupDetails {
  readonly storage: string
  readonly manifest: Manifest
  readonly records: readonly VerifyRecord[]
  /** Exempt from pruning. */
  readonly kept: boolean
}

export interface RestoreOptions extends FromOptions {
  /** A new file to write. Without it the configured database is restored in place. */
  readonly output?: string
  /** Replace `output` when it exists. */
  readonly overwrite?: boolean
  /** Restore though SQLite's checks find damage that was there at the source. */
  readonly acceptDamaged?: boolean
  /** Refuse a backup made in another environment unless true. */
  readonly acceptOtherEnvironment?: boolean
  readonly lockWaitMs?: number
  readonly actor?: string
  /** Nobody else has approved it, though this database wants that: written down, and told by the event `restore.brokeGlass`. */
  readonly breakGlass?: { readonly reason: string }
}

export interface RestorePlan {
  readonly id: string
  readonly storage: string
  readonly manifest: Manifest
  readonly target: string
  readonly how: 'new-file' | 'link' | 'online' | 'replace'
  readonly needsBytes: number
  readonly freeBytes: number
  /** Size of the database that is there now; absent when there is none. */
  readonly targetSizeBytes?: number
  /** How long writers would wait about, in ms; absent when the app has to be stopped, or nobody can be writing. */
  readonly pauseMs?: number
  /** Sentences a person should read before saying yes. */
  readonly notes: readonly string[]
  /** Those of the notes that say why another backup may have been meant; a restore by this plan's id does not repeat them. */
  readonly warnings?: readonly string[]
  /** Why `restore` would throw this instead. */
  readonly refusal?: SerializedError
}

export interface CompareOptions extends FromOptions {
  /** When the database and the backup, unpacked, are larger than this together, nothing is copied: `basis: 'recorded'`. @default no limit */
  readonly maxBytes?: number
}

export interface Comparison {
  readonly id: string
  readonly storage: string
  readonly database: string
  /** When the database was read. ISO 8601, UTC. */
  readonly at: string
  /** `counted`: both were copied and compared. `recorded`: too large for `maxBytes`; rows are those counted when the backup was proven. */
  readonly basis: 'counted' | 'recorded'
  /** Not one byte of content differs: nothing would be lost. */
  readonly isSame: boolean
  /** By name; without SQLite's own. */
  readonly tables: readonly ComparedTable[]
  /** Indexes, triggers and views that differ. */
  readonly objects: readonly ComparedObject[]
}

export interface ComparedTable {
  readonly name: string
  /** Rows now, and after a restore. `null`: the table is not there, or its rows are not known. */
  readonly now: number | null
  readonly after: number | null
  /** `goes`: the table is there now and would be gone. `comes`: the other way round. */
  readonly schema: 'same' | 'changed' | 'goes' | 'comes' | 'unknown'
  readonly columnsGoing: readonly string[]
  readonly columnsComing: readonly string[]
  /** Rows that would be lost, be as they were, and come back: told apart by the primary key, so absent without one. */
  readonly rowsGoing?: number
  readonly rowsChanging?: number
  readonly rowsComing?: number
}

export interface ComparedObject {
  readonly type: 'index' | 'trigger' | 'view'
  readonly name: string
  /** The table it belongs to. */
  readonly table: string
  readonly schema: 'changed' | 'goes' | 'comes'
}

export interface RestoreResult {
  readonly id: string
  readonly storage: string
  readonly target: string
  readonly how: 'new-file' | 'linked' | 'online' | 'replaced'
  readonly sizeBytes: number
  readonly durationMs: number
  readonly pausedMs: number
  /** Id of the backup of what was there before. */
  readonly safetyBackup?: string
  readonly warnings: readonly string[]
}

export interface RestoreIfMissingOptions {
  /** @default all */
  readonly database?: string
  /** @default `restore` of the config: `if-missing` */
  readonly restore?: RestoreAtStart
  /** When every storage answered and none has a backup. @default `onMissingBackup` of the config: `start-empty` */
  readonly onMissingBackup?: 'start-empty' | 'fail'
  readonly signal?: AbortSignal
}

export interface RestoreIfMissingResult {
  readonly database: string
  /** `skipped`: with `restore: false`. `off`: SQLITE_BACKUP=off. */
  readonly outcome: 'present' | 'restored' | 'started-empty' | 'no-storage' | 'skipped' | 'off'
  readonly restored?: RestoreResult
  readonly warnings: readonly string[]
}

export interface VerifyOptions extends FromOptions {
  /** @default 'checked' */
  readonly level?: CheckLevel
}

export interface VerifyResult {
  readonly id: string
  readonly storage: string
  readonly record: VerifyRecord
  /** That the record could not be kept beside the backup. Absent when there is nothing to say. */
  readonly warnings?: readonly string[]
}

export interface PruneOptions {
  /** Only this storage. @default all */
  readonly from?: string
  /** Says what would be deleted, and deletes nothing. */
  readonly dryRun?: boolean
  /** Does not wait for the day of notice: somebody has seen the plan and said yes. @default false */
  readonly now?: boolean
  readonly signal?: AbortSignal
}

/** Why a backup stays. The first ones hold whatever the policy says. */
export type KeepReason =
  | 'newest'
  | 'newest-checked'
  | 'kept'
  | 'fork'
  | 'in-use'
  | 'future'
  | 'unreadable'
  | 'no-retention'
  | 'keep-last'
  | 'tier-age'
  | 'tier-count'

/** Why a backup goes. */
export type RemoveReason = 'too-old' | 'too-many' | 'tier-keeps-none'

export interface PruneResult {
  readonly database: string
  readonly storages: readonly StoragePrune[]
}

export interface StoragePrune {
  readonly storage: string
  /**
   * `nothing`: all may stay. `planned`: with `dryRun`. `announced`: deleted after `deletesFrom`. `off`: no `retention` is
   * stated. `failed`: see `error`; what was deleted until then is in `deleted`.
   */
  readonly outcome: 'nothing' | 'planned' | 'announced' | 'deleted' | 'off' | 'failed'
  /** What no rule keeps, newest first. */
  readonly remove: readonly PruneEntry[]
  /** Bodies that a killed run left behind. */
  readonly orphans: { readonly count: number; readonly sizeBytes: number }
  readonly kept: { readonly count: number; readonly sizeBytes: number }
  /** How many stay for which reason; a backup may have several. */
  readonly keptBy: Readonly<Partial<Record<KeepReason, number>>>
  readonly deleted: { readonly count: number; readonly sizeBytes: number }
  /** ISO 8601, UTC. */
  readonly deletesFrom?: string
  readonly error?: SerializedError
}

export interface PruneEntry {
  readonly id: string
  readonly created: string
  readonly tier: Tier
  readonly storedSizeBytes: number
  readonly reasons: readonly RemoveReason[]
}

export interface KeepOptions extends FromOptions {
  readonly reason?: string
  readonly actor?: string
}

export interface KeepResult {
  readonly id: string
  /** Every storage that has the backup. */
  readonly storages: readonly StorageOutcome[]
}

export interface DeletePlan {
  readonly id: string
  readonly database: string
  readonly created: string
  readonly tier: Tier
  /** Every storage that has it. */
  readonly storages: readonly {
    readonly storage: string
    readonly storedSizeBytes: number
    /** Why it has to stay: then it stays in all storages. Empty: it may go. */
    readonly heldBy: readonly KeepReason[]
  }[]
}

export interface DeleteOptions extends FromOptions {
  readonly actor?: string
}

export interface DeleteResult {
  readonly id: string
  readonly database: string
  readonly storages: readonly StorageOutcome[]
}

export interface StartOptions {
  /** Names of jobs. @default all */
  readonly jobs?: readonly string[]
}

export interface StatusOptions {
  /** Also so many of the newest backups of each storage, with marks. @default 0 */
  readonly recent?: number
  /** Among how many of the newest backups forks are looked for; each is a request. @default 8 */
  readonly forkDepth?: number
  /** Older than this is unhealthy, in ms. @default `health.maxAge` of the config */
  readonly maxAgeMs?: number
  readonly from?: string
  readonly database?: string
  readonly signal?: AbortSignal
}

export interface Status {
  readonly healthy: boolean
  readonly at: string
  readonly databases: readonly DatabaseStatus[]
  /** What an app that closes the engine when it stops does first. `false`: no last backup. */
  readonly stop: { readonly backup: 'if-changed' | false; readonly deadlineMs: number }
  /** What should be known though nothing is wrong with a backup. */
  readonly warnings: readonly string[]
}

export interface DatabaseStatus {
  readonly database: string
  readonly storages: readonly StorageStatus[]
  /** The next run of a job, if the app's schedules run. */
  readonly next?: { readonly job: string; readonly at: string }
}

export interface StorageStatus {
  readonly storage: string
  readonly healthy: boolean
  readonly newest?: {
    readonly id: string
    readonly created: string
    readonly ageMs: number
    readonly tier: Tier
    readonly storedSizeBytes: number
    readonly level: CheckLevel
    readonly verifiedAt?: string
  }
  readonly offsite: boolean
  /** With the option `recent`. */
  readonly recent?: readonly BackupSummaryEntry[]
  /** The last sign of life beside the backups themselves. */
  readonly beat?: { readonly at: string; readonly state: BeatState }
  readonly fork?: readonly string[]
  /** Why it is not healthy, or what should be known. */
  readonly problems: readonly string[]
}

export interface Finding {
  readonly level: 'ok' | 'warning' | 'error'
  readonly code: string
  readonly message: string
  readonly hint?: string
}
