import type { Compression } from '../codec/codec.ts'

/** Fixed when a backup is made, part of its key. */
export const tiers = [
  'recent',
  'hourly',
  'daily',
  'weekly',
  'monthly',
  'yearly',
  'manual',
  'pre-migration',
  'pre-restore',
  'shutdown',
  'milestone',
] as const
export type Tier = (typeof tiers)[number]

/** What made a backup happen. */
export const triggers = ['schedule', 'manual', 'migration', 'restore', 'shutdown', 'boot'] as const
export type Trigger = (typeof triggers)[number]

/** The facts of one backup, written last: a backup exists when its manifest does. docs/format.md is its manual. */
export interface Manifest {
  readonly format: 1
  /** `20261120T030000Z-<rand>`, as users see it. */
  readonly id: string
  readonly database: string
  /** The moment of the pin, ISO 8601 with milliseconds, UTC. */
  readonly created: string
  readonly tier: Tier
  readonly name?: string
  readonly trigger: Trigger
  readonly actor?: string
  readonly job?: string
  /** Who wrote it, from which state. */
  readonly lineage: Lineage
  readonly source: SourceFacts
  /** Key of the body, relative to the storage. */
  readonly body: string
  readonly plain: { readonly sizeBytes: number; readonly sha256: string }
  readonly stored: { readonly sizeBytes: number; readonly sha256: string }
  readonly compression: Compression
  readonly encryption?: { readonly method: 'age'; readonly recipients: readonly string[] | 'passphrase' }
  readonly engine: { readonly version: string; readonly sqlite: string; readonly node: string }
  readonly appVersion?: string
  /** What was about to be applied, for a backup made before a migration. */
  readonly beforeMigration?: BeforeMigration
}

export interface BeforeMigration {
  /** Names of the pending migrations, in their order; empty when nobody knew them. */
  readonly pending: readonly string[]
  /** Over what was about to run: equal for two tries of the same migrations. */
  readonly sha256: string
  /** Over the database without the counters in its header: equal for two captures of equal content. */
  readonly contentSha256: string
}

export interface Lineage {
  /** Random per spool: who writes. */
  readonly writer: string
  readonly environment?: string
  /** Id of the backup this state grew from: the writer's last backup, or what was restored. */
  readonly parent?: string
}

/** What was seen in the database under the pin. */
export interface SourceFacts {
  readonly pageSize: number
  readonly pageCount: number
  readonly journalMode: 'wal' | 'rollback'
  readonly userVersion: number
  readonly applicationId: number
  readonly schemaCookie: number
  /** SHA-256 over sqlite_schema's SQL, lower-case hex. */
  readonly schemaHash?: string
  /** Newest Drizzle migration, when there is such a table: its tag where it is known, else its hash. */
  readonly migration?: string
}
