import { BackupError } from '../errors.ts'
import type { LostRows } from './guard-api.ts'

export interface RolledBackFacts {
  readonly database: string
  /** Names of the migrations that were to be applied. */
  readonly pending: readonly string[]
  readonly lost: readonly LostRows[]
  /** Why, in sentences. */
  readonly reasons: readonly string[]
  /** The backup made before the migration. */
  readonly backupId: string
  /** False: the migrator had left the database as it was, so nothing was restored. */
  readonly isRestored: boolean
  /** The backup of what the migration made, with all that others wrote meanwhile. */
  readonly safetyBackup?: string
  readonly warnings: readonly string[]
  readonly durationMs: number
  /** How long writers were kept out: by the restore, and by comparing where there is a rollback journal. */
  readonly pausedMs: number
  readonly cause?: unknown
}

/** The database is again as it was before the migration. `cause` is the migrator's own error, if there was one. */
export class MigrationRolledBackError extends BackupError {
  readonly database: string
  readonly pending: readonly string[]
  readonly lost: readonly LostRows[]
  readonly reasons: readonly string[]
  readonly backupId: string
  readonly isRestored: boolean
  readonly safetyBackup: string | undefined
  readonly warnings: readonly string[]
  readonly durationMs: number
  readonly pausedMs: number

  constructor(facts: RolledBackFacts) {
    const { database, pending, reasons, backupId, isRestored, safetyBackup } = facts
    const what = pending.length === 0 ? `The migration of ${database}` : `${pending.join(', ')} on ${database}`
    const then = isRestored ? `It was rolled back to ${backupId}.` : 'The migrator had left the database as it was.'
    super('MIGRATION_ROLLED_BACK', `${what}: ${reasons.join(' ')} ${then}`, {
      hint:
        safetyBackup === undefined
          ? 'Mend the migration, or name in `allowLoss` what may go. The same start will try it again.'
          : `Mend the migration, or name in \`allowLoss\` what may go. What it made, and what others wrote meanwhile, is in ${safetyBackup}.`,
      cause: facts.cause,
    })
    this.database = database
    this.pending = pending
    this.lost = facts.lost
    this.reasons = reasons
    this.backupId = backupId
    this.isRestored = isRestored
    this.safetyBackup = safetyBackup
    this.warnings = facts.warnings
    this.durationMs = facts.durationMs
    this.pausedMs = facts.pausedMs
  }
}
