/** Every code this suite throws. Callers switch on `error.code`, never on message text. */
export type ErrorCode =
  // what the user wrote
  | 'CONFIG_INVALID'
  | 'CONFIG_NOT_FOUND'
  | 'USAGE'
  | 'UNSUPPORTED_PLATFORM'
  // the database
  | 'DATABASE_MISSING'
  | 'DATABASE_EMPTY'
  | 'DATABASE_INVALID'
  | 'DATABASE_ENCRYPTED'
  | 'DATABASE_REPLACED'
  | 'DATABASE_BUSY'
  | 'DATABASE_UNREADABLE'
  | 'BACKUP_WOULD_BLOCK'
  | 'LOCKED'
  // our own files
  | 'SPOOL_NO_SPACE'
  | 'SPOOL_FAILED'
  // child processes
  | 'CAPTURE_ENTRY_MISSING'
  | 'CAPTURE_DIED'
  | 'SQLITE_TOO_OLD'
  // storages
  | 'UNAVAILABLE'
  | 'STORAGE_DENIED'
  | 'STORAGE_MISSING'
  | 'STORAGE_FULL'
  | 'STORAGE_UNSUPPORTED'
  | 'STORAGE_FAILED'
  | 'STORAGE_ADAPTER_MISSING'
  | 'OBJECT_MISSING'
  | 'OBJECT_EXISTS'
  | 'OBJECT_CHANGED'
  | 'KEY_INVALID'
  // bodies
  | 'BODY_TRUNCATED'
  | 'BODY_TOO_LONG'
  | 'BODY_CORRUPT'
  | 'BODY_DIGEST_MISMATCH'
  | 'BODY_UNSUPPORTED'
  | 'DECRYPTION_FAILED'
  | 'IDENTITY_MISSING'
  | 'MANIFEST_INVALID'
  // verbs
  | 'BACKUP_NOT_FOUND'
  | 'BACKUP_FAILED'
  | 'VERIFY_FAILED'
  | 'DELETE_REFUSED'
  | 'RESTORE_TARGET_EXISTS'
  | 'RESTORE_TARGET_GONE'
  | 'RESTORE_TARGET_BUSY'
  | 'RESTORE_DAMAGED'
  | 'RESTORE_PAGE_SIZE'
  | 'ENVIRONMENT_MISMATCH'
  | 'MIGRATION_ROLLED_BACK'
  | 'MIGRATION_NOT_ROLLED_BACK'
  | 'MIGRATION_LOST_ROWS'
  | 'MIGRATION_INTERRUPTED'
  | 'CLOCK_WRONG'
  | 'CLOSED'
  | 'ABORTED'
  | 'INTERNAL'

export interface BackupErrorOptions {
  /** What the reader can do about it: a full sentence. */
  readonly hint?: string
  readonly cause?: unknown
  /** For `UNAVAILABLE`: how long the storage asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number
}

/**
 * The one error class of the suite: a stable `code`, a message for a person, and a `hint` that says what to do.
 * Compare with {@link isBackupError} or by `code`: two copies of core may be loaded in one app.
 */
export class BackupError extends Error {
  override readonly name = 'BackupError'
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message: string, options: BackupErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.retryAfterMs = options.retryAfterMs
  }

  /** Plain JSON for events, logs and the wire between processes. */
  toJSON(): SerializedError {
    return serializeError(this)
  }
}

export interface SerializedError {
  readonly code: string
  readonly message: string
  readonly hint?: string
  readonly retryAfterMs?: number
  readonly cause?: string
}

/** True for a BackupError of this or any other loaded copy of core; with `code`, only for that code. */
export function isBackupError(error: unknown, code?: ErrorCode): error is BackupError {
  if (!(error instanceof Error) || error.name !== 'BackupError' || !('code' in error)) return false
  return code === undefined || error.code === code
}

/** Any thrown value as plain JSON. */
export function serializeError(error: unknown): SerializedError {
  if (isBackupError(error)) {
    return {
      code: error.code,
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
      ...(error.cause === undefined ? {} : { cause: messageOf(error.cause) }),
    }
  }
  if (isAbort(error)) return { code: 'ABORTED', message: 'The operation was aborted.' }
  return { code: 'INTERNAL', message: messageOf(error) }
}

/** The error that {@link serializeError} described. */
export function deserializeError(error: SerializedError): BackupError {
  return new BackupError(error.code as ErrorCode, error.message, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    ...(error.cause === undefined ? {} : { cause: error.cause }),
  })
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}
