import type { BookedMigration, SurveyedForeignKey } from '../work/protocol.ts'

export type { GuardedRun } from './running-command.ts'
export type { BookedMigration, SurveyedForeignKey }

/** How a migration is guarded. */
export interface GuardOptions<T = unknown> {
  /** The file the migrations are about to change: it has to be that of the database, or names it when there are several. */
  readonly file?: string
  /** What is about to be applied; asked again once nobody else migrates. Without it the guard is on duty every time. */
  readonly pending?: () => Promise<PendingMigrations | undefined>
  /**
   * What is about to be applied, told from the backup's own image, for where only another program opens the database. The
   * guard is on duty whatever it says.
   */
  readonly plan?: (found: FoundBefore) => Promise<MigrationPlan | undefined>
  /** What is about to run, like a command line, where nobody knows the migrations. */
  readonly what?: string
  /** Tables (`sessions`), and columns (`posts.author_id`) of references or values, that may become fewer. @default [] */
  readonly allowLoss?: readonly string[]
  /**
   * What an unexplained loss of rows leads to: `rollback` restores the database, `fail` throws and leaves it, `warn` goes
   * on. @default 'rollback'
   */
  readonly rowLoss?: 'rollback' | 'fail' | 'warn'
  /** Checks of your own after the migration: one that throws or gives `false` leads to a roll-back. */
  readonly checks?: readonly MigrationCheck[]
  /** Tables in which your migrator keeps its books, besides those of Drizzle, Knex, Kysely and Prisma. */
  readonly bookkeeping?: readonly string[]
  /** For a migrator that reports a failure instead of throwing it: what failed, or undefined. */
  readonly failureOf?: (value: T) => unknown
  /** After a guard that was killed in the middle: keep the database as it is. @default 'decide' */
  readonly interrupted?: 'decide' | 'keep'
  readonly actor?: string
  /** How long to wait for another process that migrates, in ms. @default 600000 */
  readonly lockWaitMs?: number
  readonly signal?: AbortSignal
  /** Told what a person should know, as it becomes known. The result has all of it too. */
  readonly onWarning?: (sentence: string) => void
}

/** A check of the app's own, on its own connection. */
export type MigrationCheck = () => unknown

export interface PendingMigrations {
  /** In the order in which they will be applied. */
  readonly names: readonly string[]
  /** Over their content, lower-case hex: equal for two tries of the same. */
  readonly sha256: string
  /** A failure leaves nothing of them: they run in one transaction. @default false */
  readonly isAtomic?: boolean
  /** Tables and references that may become fewer, besides those of the options. */
  readonly allowLoss?: readonly string[]
  /** Tags of all migrations by the hash that the database keeps of them. */
  readonly tags?: Readonly<Record<string, string>>
}

/** A database before, or after, a migration. */
export interface FoundBefore {
  /** What is booked as applied, by the table it is booked in. */
  readonly migrations: Readonly<Record<string, readonly BookedMigration[]>>
  readonly foreignKeys: readonly SurveyedForeignKey[]
}

export interface MigrationPlan extends PendingMigrations {
  /** What a person should know before it runs. */
  readonly warnings: readonly string[]
  /** Tables and references that may become fewer, besides those of the options. */
  readonly allowLoss: readonly string[]
}

export interface GuardResult<T> {
  /** `nothing-pending` and `nothing-to-lose` (there was no database yet): no backup was made. `off`: SQLITE_BACKUP=off. */
  readonly outcome: 'kept' | 'nothing-pending' | 'nothing-to-lose' | 'off'
  readonly database: string
  /** What the migrator returned. */
  readonly value: T
  /** Names of the migrations that were applied, as far as they are known. */
  readonly applied: readonly string[]
  /** The backup made before. */
  readonly backupId?: string
  /** It was there already, from an earlier try on the same content. */
  readonly isBackupReused: boolean
  /** Rows per table, where they changed; `null`: no such table, or not countable without the app. */
  readonly tables: Readonly<Record<string, { readonly before: number | null; readonly after: number | null }>>
  readonly durationMs: number
  /** What of it was the guard's own work. */
  readonly guardMs: number
  /** How long the two captures kept writers out (rollback journal; 0 in WAL mode), in ms. */
  readonly blockedMs: number
  readonly warnings: readonly string[]
}

/** Fewer after a migration than before, and nobody allowed it. */
export interface LostRows {
  readonly table: string
  /** Of references: rows that pointed somewhere through this column. Otherwise rows of the table. */
  readonly column?: string
  /** Not rows: different values that the column had, and now has none or one of. */
  readonly of?: 'values'
  readonly before: number
  readonly after: number
}
