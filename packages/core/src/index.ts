/**
 * Keeps the SQLite databases of Node apps safe: backs them up while they run, proves the backups, puts them back.
 *
 * @packageDocumentation
 */
export {
  approvalRuleName,
  approvalsFolder,
  type BreakGlass,
  isApprovalRequired,
  parseBreakGlass,
  setApprovalRule,
} from './audit/approvals.ts'
export type { AuditAction, AuditEntry } from './audit/audit-entry.ts'
export { type AuditLog, type AuditReport, createAuditLog } from './audit/audit-log.ts'
export { describeAction } from './audit/describe-action.ts'
export { inFirstStorage } from './audit/first-taking.ts'
export { type BackupEntry, catalogFolder, databaseFolder, parseCatalogKey } from './catalog/keys.ts'
export type { Manifest, Tier, Trigger } from './catalog/manifest.ts'
export { parseTime } from './catalog/parse-time.ts'
// For those who write a storage, a host or a command of their own.
export type { Config, Origin, ResolvedConfig, ResolvedDatabase, ResolvedStorage } from './config/config.ts'
export { databaseNameOf } from './config/database-path.ts'
export { defineConfig } from './config/define-config.ts'
export { configJsonSchema } from './config/json-schema.ts'
export { type ProfileName, profileFor } from './config/profile.ts'
export { refuseUnknown } from './config/refuse-unknown.ts'
export { type ResolveConfigOptions, resolveConfig } from './config/resolve-config.ts'
export type { RetentionConfig, RetentionRule } from './config/retention.ts'
export { every } from './config/schedule-text.ts'
export { env } from './config/secret.ts'
export { type Duration, parseDuration, parseSize, type Size } from './config/units.ts'
export { createEngine, type OpenOptions, openBackup } from './engine.ts'
export type * from './engine-api.ts'
export {
  BackupError,
  type BackupErrorOptions,
  deserializeError,
  type ErrorCode,
  isBackupError,
  messageOf,
  type SerializedError,
  serializeError,
} from './errors.ts'
export type { BackupEvents, EventName, Logger } from './events.ts'
export type * from './guard/guard-api.ts'
export { MigrationRolledBackError } from './guard/migration-rolled-back.ts'
export {
  createHealth,
  type Health,
  type HealthAnswer,
  type HealthBody,
  type HealthCheck,
  type HealthOptions,
  healthContentType,
} from './monitor/create-health.ts'
export { shareEngine } from './shared-engine.ts'
export { bootedVariable } from './start/should-boot.ts'
export { stderrLogger } from './stderr-logger.ts'
export { type ClosableServer, type Closing, type ClosingOptions, createClosing } from './stop/create-closing.ts'
export { type OnStopSignalOptions, onStopSignal, type StopSignal } from './stop/on-stop-signal.ts'
export type { DrainableServer } from './stop/track-connections.ts'
export { abortedError, orAborted, throwIfAborted, untilAborted } from './storage/abort.ts'
export { type FilesystemOptions, filesystem } from './storage/filesystem.ts'
export { assertKey, assertPrefix, compareKeys, isKey } from './storage/key.ts'
export type { RetryOptions } from './storage/patience.ts'
export { disposableChunk, disposeChunk } from './storage/spent-chunk.ts'
export type * from './storage/storage.ts'
export { bytesBody, listAll, readObject } from './storage/storage.ts'
export { withLimit } from './storage/with-limit.ts'
export { withPrefix } from './storage/with-prefix.ts'
export { withRetry } from './storage/with-retry.ts'
export type { CheckLevel, VerifyRecord } from './verify/record.ts'
