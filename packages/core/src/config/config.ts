import type { CheckLevel } from '../catalog/record-keys.ts'
import type { Compression } from '../codec/codec.ts'
import type { Logger } from '../events.ts'
import type { Storage } from '../storage/storage.ts'
import type { Profile, ProfileName } from './profile.ts'
import type { RetentionConfig, RetentionPolicy } from './retention.ts'
import type { Schedule, ScheduleText } from './schedule-text.ts'
import type { Secret } from './secret.ts'
import type { StopDeadline } from './stop-deadline.ts'
import type { Duration, Size } from './units.ts'

/** What the user writes in `sqlite-backup.config.mts`. Every option may be left out; docs/configuration.md is its manual. */
export interface Config {
  /** The databases, by name. The name is part of every key in a storage, so it should not change. */
  readonly databases?: Readonly<Record<string, Text | DatabaseConfig>>
  /** Where backups go, by name: an adapter (`s3({ … })`) or a URL (`s3://bucket/prefix`, `./backups`). */
  readonly storages?: Readonly<Record<string, Text | Storage>>
  /** Whether a backup has succeeded when all storages have it, or when any has. @default 'all' */
  readonly require?: 'all' | 'any'
  /** How backups are packed. */
  readonly compression?: CompressionConfig
  /** Who can open backups. Absent: everybody who can read the storage. */
  readonly encryption?: EncryptionConfig
  /** How backups are checked. */
  readonly verify?: VerifyConfig
  /** When backups are made, by name; `false` or `{}`: only when somebody asks. @default hourly, if something changed */
  readonly jobs?: false | Readonly<Record<string, false | JobConfig>>
  /** How long backups are kept. Until it is stated, nothing is ever deleted; `false`: never, and do not warn of it. */
  readonly retention?: false | 'default' | RetentionConfig
  /** When a database counts as unhealthy. */
  readonly health?: HealthConfig
  /** Who is told. */
  readonly notify?: NotifyConfig
  /** What a start does with a database that is missing, or older than its newest backup; `false`: nothing. @default 'if-missing' */
  readonly restore?: RestoreAtStart
  /** What a start does when a database is missing and no storage has a backup of it. @default 'start-empty' */
  readonly onMissingBackup?: 'start-empty' | 'fail'
  /** What happens when the app stops. */
  readonly stop?: StopConfig
  /** Like `production`: an engine of another environment is refused. */
  readonly environment?: Text
  /** Written into each manifest, like a git commit. */
  readonly appVersion?: Text
  /** How much memory may be used; `auto` is `small` on machines and containers of 512 MB or less. @default 'auto' */
  readonly profile?: 'auto' | ProfileName
  /** Longest a backup may keep SQLite from recycling its WAL before it copies raw to the spool instead. @default '5s' */
  readonly maxPin?: Duration
  /** Longest a database in rollback-journal mode may be locked against writers. @default '500ms' */
  readonly maxBlock?: Duration
  /** Our own files on local disk. */
  readonly spool?: SpoolConfig
  /** A logger of pino's shape; `false` for none. @default false */
  readonly log?: Logger | false
}

/** Text, or where in the environment to find it. */
export type Text = string | Secret | EnvReference

/** `env('NAME')` for JSON files. */
export interface EnvReference {
  readonly env: string
  readonly optional?: boolean
}

export interface DatabaseConfig {
  /** The SQLite file; relative to the config file. */
  readonly path: Text
  /** Folder for this database's own local files. @default '.sqlite-backup/<file>' beside the database */
  readonly spool?: string
}

export interface CompressionConfig {
  /** `zst`: zstd seekable; `gz`: gzip; `none`: the database file itself. @default 'zst' */
  readonly format?: Compression
  /** zstd 1–19, gzip 1–9. @default 1 for zst, 6 for gz */
  readonly level?: number
}

export interface EncryptionConfig {
  /** age recipients (`age1…`): each of them can open every backup. */
  readonly recipients?: readonly string[]
  /** A passphrase instead of recipients, from the environment only. */
  readonly passphrase?: Secret | EnvReference
  /** age identities (`AGE-SECRET-KEY-1…`), from the environment only: needed where restores and deep checks happen. */
  readonly identities?: Secret | EnvReference | readonly (Secret | EnvReference)[]
  /** A file of age identities, as `age-keygen` writes it. */
  readonly identityFile?: Text
}

export interface VerifyConfig {
  /** Checked before a backup counts as done. @default 'stored' */
  readonly afterBackup?: CheckLevel
  /** When the newest backup is read back and hashed; `false`: never. @default every('1d') */
  readonly schedule?: false | ScheduleText
}

export interface JobConfig {
  /** Which databases. @default all */
  readonly database?: string | readonly string[]
  /** `every('5m')`, or cron: `'17 * * * *'`. */
  readonly schedule: ScheduleText
  /** Of a cron schedule, like `Europe/Berlin`. @default 'UTC' */
  readonly timeZone?: string
  /** Which storages. @default all */
  readonly to?: string | readonly string[]
  /** Whether a backup has succeeded when all storages have it, or when any has. @default as for all backups */
  readonly require?: 'all' | 'any'
  /** Make no new backup while nothing has changed since the last one. @default true */
  readonly ifChanged?: boolean
  /** Starts up to this much later, so that many apps do not start at once; at most a tenth of the time between runs. @default '30s' */
  readonly jitter?: Duration
}

export interface HealthConfig {
  /** Oldest a newest backup may be; `false`: any age. @default '26h' */
  readonly maxAge?: false | Duration
}

export interface NotifyConfig {
  /** URL that hears of every backup: with `/start` when it begins, as it is when it succeeded, with `/fail` when it failed. */
  readonly heartbeat?: Text
}

export type RestoreAtStart = 'if-missing' | 'if-behind' | false

export interface StopConfig {
  /** A last backup when something changed since the one before; `false`: none. @default 'if-changed' */
  readonly backup?: 'if-changed' | false
  /** How long a stop may take, last backup included. @default by platform, else '4s' */
  readonly deadline?: Duration
}

export interface SpoolConfig {
  /** Folder for local files; each database gets one in it. @default '.sqlite-backup' beside each database */
  readonly dir?: string
  /** Bytes that must stay free on the spool's volume. @default '64MB' or 5 % of the volume, whichever is more */
  readonly reserve?: Size
}

/** The config with every value decided: what the engine works with. */
export interface ResolvedConfig {
  /** False with `SQLITE_BACKUP=off`: do nothing, say so. */
  readonly enabled: boolean
  readonly databases: readonly ResolvedDatabase[]
  readonly storages: readonly ResolvedStorage[]
  readonly require: 'all' | 'any'
  readonly compression: { readonly format: Compression; readonly level: number }
  /** Absent: backups are not encrypted. */
  readonly encryption?: ResolvedEncryption
  /** What opens backups; each may be empty. See `revealKeys`. */
  readonly keys: ResolvedKeys
  readonly verify: { readonly afterBackup: CheckLevel; readonly schedule?: Schedule }
  readonly jobs: readonly ResolvedJob[]
  /** Absent: nothing is ever deleted. */
  readonly retention?: RetentionPolicy
  readonly health: { readonly maxAgeMs?: number }
  readonly notify: { readonly heartbeat?: Secret }
  readonly restore: RestoreAtStart
  readonly onMissingBackup: 'start-empty' | 'fail'
  readonly stop: { readonly backup: 'if-changed' | false; readonly deadline: StopDeadline }
  readonly environment?: string
  readonly appVersion?: string
  readonly profile: Profile
  readonly maxPinMs: number
  readonly maxBlockMs: number
  /** The spool's volume keeps the larger of both free. */
  readonly reserve: { readonly bytes: number; readonly fraction: number }
  /** `SQLITE_BACKUP_RESTORE`: the id or time a start should restore, once. */
  readonly restoreOnce?: string
  readonly log?: Logger
  /** Absolute path of the config file, when there is one. */
  readonly file?: string
  /** What is odd about the config, in sentences. */
  readonly warnings: readonly string[]
  /** Where each value came from, by path (`compression.level`). */
  readonly origins: ReadonlyMap<string, Origin>
}

export interface ResolvedDatabase {
  readonly name: string
  /** Absolute. */
  readonly path: string
  /** Absolute; exclusive to this database. */
  readonly spoolDir: string
}

export interface ResolvedJob {
  readonly name: string
  /** Names of databases. */
  readonly databases: readonly string[]
  readonly schedule: Schedule
  /** Names of storages. Absent: all. */
  readonly to?: readonly string[]
  readonly require: 'all' | 'any'
  readonly ifChanged: boolean
  readonly jitterMs: number
}

export interface ResolvedStorage {
  readonly name: string
  readonly storage: Storage
}

/** Still secret: `revealEncryption` and `revealKeys` are the only ways to the plain values. */
export type ResolvedEncryption =
  | { readonly recipients: readonly string[] }
  | { readonly passphrase: Secret; readonly workFactor: number }

export interface ResolvedKeys {
  readonly identities: readonly Secret[]
  readonly identityFile?: string
  readonly passphrase?: Secret
}

export interface Origin {
  readonly from: 'flag' | 'env' | 'file' | 'code' | 'default'
  /** Which variable, flag or file. */
  readonly detail?: string
}
