/** What the process says when it ends. docs/cli.md is the manual. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  unhealthy: 3,
  locked: 4,
  nothingToRestore: 5,
  rolledBack: 7,
  interrupted: 130,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** One line per code, for help and docs. */
export const exitCodeMeanings: readonly (readonly [ExitCode, string])[] = [
  [exitCodes.ok, 'ok'],
  [exitCodes.failed, 'failed'],
  [exitCodes.usage, 'bad usage or config'],
  [exitCodes.unhealthy, 'unhealthy, or verification failed'],
  [exitCodes.locked, 'locked by another run'],
  [exitCodes.nothingToRestore, 'nothing to restore'],
  [exitCodes.rolledBack, 'migration rolled back'],
  [exitCodes.interrupted, 'interrupted'],
]

const byErrorCode: Readonly<Record<string, ExitCode>> = {
  CONFIG_INVALID: exitCodes.usage,
  CONFIG_NOT_FOUND: exitCodes.usage,
  USAGE: exitCodes.usage,
  UNSUPPORTED_PLATFORM: exitCodes.usage,
  STORAGE_ADAPTER_MISSING: exitCodes.usage,
  KEY_INVALID: exitCodes.usage,
  IDENTITY_MISSING: exitCodes.usage,
  RESTORE_TARGET_EXISTS: exitCodes.usage,
  ENVIRONMENT_MISMATCH: exitCodes.usage,
  BODY_TRUNCATED: exitCodes.unhealthy,
  BODY_TOO_LONG: exitCodes.unhealthy,
  BODY_CORRUPT: exitCodes.unhealthy,
  BODY_DIGEST_MISMATCH: exitCodes.unhealthy,
  MANIFEST_INVALID: exitCodes.unhealthy,
  OBJECT_MISSING: exitCodes.unhealthy,
  VERIFY_FAILED: exitCodes.unhealthy,
  RESTORE_DAMAGED: exitCodes.unhealthy,
  LOCKED: exitCodes.locked,
  BACKUP_NOT_FOUND: exitCodes.nothingToRestore,
  MIGRATION_ROLLED_BACK: exitCodes.rolledBack,
}

/** The exit code for an error's code. */
export function exitCodeOf(errorCode: string): ExitCode {
  return byErrorCode[errorCode] ?? exitCodes.failed
}
