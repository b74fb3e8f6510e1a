import { isBackupError } from '@sqlite-backup/core'

/** What is answered when a request cannot be done: a status, a stable code, a sentence and what to do about it. */
export class AdminError extends Error {
  override readonly name = 'AdminError'
  readonly status: number
  readonly code: string
  readonly hint: string | undefined
  /** Methods that the path would answer to. */
  readonly allow: readonly string[] | undefined

  constructor(
    status: number,
    code: string,
    message: string,
    options: { readonly hint?: string; readonly cause?: unknown; readonly allow?: readonly string[] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.status = status
    this.code = code
    this.hint = options.hint
    this.allow = options.allow
  }
}

const statusByCode: Readonly<Record<string, number>> = {
  BACKUP_NOT_FOUND: 404,
  USAGE: 400,
  KEY_INVALID: 400,
  LOCKED: 409,
  DELETE_REFUSED: 409,
  RESTORE_TARGET_EXISTS: 409,
  RESTORE_TARGET_BUSY: 409,
  RESTORE_PAGE_SIZE: 409,
  ENVIRONMENT_MISMATCH: 409,
  DATABASE_BUSY: 409,
  BACKUP_WOULD_BLOCK: 409,
  RESTORE_TARGET_GONE: 404,
  OBJECT_MISSING: 404,
  UNAVAILABLE: 503,
  CLOSED: 503,
  STORAGE_DENIED: 502,
  STORAGE_MISSING: 502,
  STORAGE_FULL: 507,
  SPOOL_NO_SPACE: 507,
}

/** Any thrown value as an answer. What the suite threw is written for people; anything else stays in the log. */
export function toAdminError(error: unknown): AdminError {
  if (error instanceof AdminError) return error
  if (isBackupError(error)) {
    return new AdminError(statusByCode[error.code] ?? 500, error.code, error.message, {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      cause: error,
    })
  }
  return new AdminError(500, 'INTERNAL', 'Something went wrong inside the admin. The log of the app has the details.', {
    cause: error,
  })
}
