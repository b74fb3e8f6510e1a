import { BackupError, type ErrorCode, isBackupError, messageOf } from '@sqlite-backup/core'

/** What a failed call was about. */
export interface CallFacts {
  /** Name of the storage. */
  readonly storage: string
  /** The seam's verb, like `put`. */
  readonly operation: string
  readonly key?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Options beyond the ordinary that went with the call, as a store without them says no more than 400. */
  readonly extras?: string | undefined
  /** What a failed precondition means for this call. */
  readonly onPrecondition?: 'OBJECT_EXISTS' | 'OBJECT_CHANGED'
}

export interface ErrorContext extends CallFacts {
  /** Values that must not appear anywhere in the error. */
  readonly secrets: readonly string[]
  /** Since when this operation is being refused, ISO 8601. Only asked for refusals. */
  refusedSince(): string
}

// Names first: stores agree on them more than on statuses. RGW sends no messages, MinIO and B2 have names of their own.
const codeOfName: Readonly<Record<string, ErrorCode>> = {
  ...each('OBJECT_MISSING', 'NoSuchKey', 'NoSuchVersion'),
  ...each('STORAGE_MISSING', 'NoSuchBucket', 'InvalidBucketName', 'BucketNotFound'),
  ...each('STORAGE_DENIED', 'AccessDenied', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'UserSuspended'),
  ...each(
    'STORAGE_DENIED',
    'AccountProblem',
    'AllAccessDisabled',
    'InvalidToken',
    'InvalidIdentityToken',
    'Unauthorized',
  ),
  ...each('STORAGE_DENIED', 'ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired', 'RequestExpired'),
  ...each('STORAGE_DENIED', 'CredentialsProviderError', 'TokenProviderError', 'NotSignedUp', 'InvalidSecurity'),
  ...each('STORAGE_FULL', 'QuotaExceeded', 'StorageFull', 'XMinioStorageFull', 'XMinioAdminBucketQuotaExceeded'),
  ...each('STORAGE_FULL', 'InsufficientStorage', 'InsufficientCapacity', 'StorageCapExceeded', 'StorageQuotaExceeded'),
  ...each('STORAGE_UNSUPPORTED', 'NotImplemented', 'InvalidStorageClass', 'InvalidEncryptionAlgorithmError'),
  ...each('STORAGE_UNSUPPORTED', 'EntityTooLarge', 'KMS.NotFoundException', 'KMS.DisabledException'),
  ...each('KEY_INVALID', 'KeyTooLongError', 'InvalidURI', 'XMinioInvalidObjectName'),
  // Throttled, busy, or spoilt on the way: the same request may well succeed.
  ...each('UNAVAILABLE', 'SlowDown', 'ServiceUnavailable', 'InternalError', 'Throttling', 'ThrottlingException'),
  ...each('UNAVAILABLE', 'TooManyRequests', 'RequestLimitExceeded', 'BandwidthLimitExceeded', 'OperationAborted'),
  ...each('UNAVAILABLE', 'RequestTimeout', 'RequestTimeTooSkewed', 'IncompleteBody', 'BadDigest', 'InvalidDigest'),
  ...each('UNAVAILABLE', 'XAmzContentSHA256Mismatch', 'ConditionalRequestConflict', 'TimeoutError'),
  // The upload must begin anew, which the next try of the whole put does.
  ...each('UNAVAILABLE', 'NoSuchUpload', 'InvalidPart', 'InvalidPartOrder'),
}

const networkCodes = new Set([
  ...['ECONNRESET', 'ECONNREFUSED', 'ECONNABORTED', 'EPIPE', 'EPROTO', 'ETIMEDOUT', 'EHOSTUNREACH', 'EHOSTDOWN'],
  ...['ENETUNREACH', 'ENETDOWN', 'ENOTFOUND', 'EAI_AGAIN', 'ENOTCONN', 'ERR_STREAM_PREMATURE_CLOSE'],
])

const certificateCode = /CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)/

/** Any error of the SDK, of its HTTP calls or of a body as the one error of the suite. Holds no secret. */
export function toBackupError(error: unknown, context: ErrorContext): BackupError {
  if (isBackupError(error)) return error
  const { signal, storage, operation, key } = context
  if (signal?.aborted) {
    if (isBackupError(signal.reason, 'ABORTED')) return signal.reason
    return new BackupError('ABORTED', 'The operation was aborted.', { cause: signal.reason })
  }
  const facts = readFacts(error)
  const code = codeOf(facts, context)
  const reason = reasonOf(facts, context.secrets)
  const subject = key === undefined ? operation : `${operation} of ${key}`
  const cause = describeCause(facts, context.secrets)
  const options = { cause, ...hint(hintFor(code, facts, context.extras)), ...retryAfter(facts) }
  const say = (what: string) => new BackupError(code, `${storage}: ${what}`, options)
  switch (code) {
    case 'OBJECT_MISSING':
      return say(`there is no ${key ?? 'such object'}.`)
    case 'OBJECT_EXISTS':
      return say(`there already is a ${key}.`)
    case 'OBJECT_CHANGED':
      return say(`${key} is not the object it was.`)
    case 'STORAGE_MISSING':
      return say(`the bucket does not exist (${reason}).`)
    case 'STORAGE_DENIED':
      return say(`${subject} is refused (${reason}), since ${context.refusedSince()}.`)
    case 'STORAGE_FULL':
      return say(`${subject} failed, the storage is full or its quota is used up (${reason}).`)
    case 'STORAGE_UNSUPPORTED':
      return say(`${subject} failed, the storage does not support it (${reason}).`)
    case 'UNAVAILABLE':
      return say(`${subject} failed for now (${reason}).`)
    default:
      return say(`${subject} failed (${reason}).`)
  }
}

/** The name the store gives it; without an answer, what happened instead. */
function reasonOf({ name, status, message, code }: ErrorFacts, secrets: readonly string[]): string {
  if (status !== undefined) return `${name}, HTTP ${status}`
  return withoutSecrets(message, secrets).replace(/\.$/, '') || code || name
}

interface ErrorFacts {
  readonly name: string
  readonly message: string
  /** Of Node, like `ECONNRESET`. */
  readonly code: string
  readonly status: number | undefined
  readonly requestId: string | undefined
  readonly headers: Readonly<Record<string, string>>
}

function codeOf(facts: ErrorFacts, { key, operation, onPrecondition }: CallFacts): ErrorCode {
  const { name, status, code, message } = facts
  if (status === 412 || name === 'PreconditionFailed') return onPrecondition ?? 'OBJECT_CHANGED'
  // B2 says this with AccessDenied.
  if (status === 403 && /\bcap exceeded|quota/i.test(message)) return 'STORAGE_FULL'
  const named = Object.hasOwn(codeOfName, name) ? codeOfName[name] : undefined
  if (named !== undefined) return named
  if (status === 401 || status === 403) return 'STORAGE_DENIED'
  // Bodiless answers (HEAD) have no name to tell a missing object from a missing bucket.
  if (status === 404) return key === undefined || operation === 'list' ? 'STORAGE_MISSING' : 'OBJECT_MISSING'
  if (status === 501 || status === 405) return 'STORAGE_UNSUPPORTED'
  if (status === 507) return 'STORAGE_FULL'
  if (status !== undefined && (status >= 500 || [408, 417, 425, 429].includes(status))) return 'UNAVAILABLE'
  if (/Region is missing/.test(message)) return 'CONFIG_INVALID'
  // The files the SDK reads are those with tokens and credentials.
  if (code === 'ENOENT' || code === 'EACCES') return 'STORAGE_DENIED'
  if (certificateCode.test(code)) return 'STORAGE_FAILED'
  // HPE_* and ERR_SSL_*: an answer spoilt on the way.
  if (networkCodes.has(code) || /^(HPE_|ERR_SSL_|ERR_TLS_)/.test(code)) return 'UNAVAILABLE'
  if (/Deserialization error|Unclosed|Unexpected (end|close)/i.test(message)) return 'UNAVAILABLE'
  return 'STORAGE_FAILED'
}

function hintFor(
  code: ErrorCode,
  { name, code: errno, headers, status }: ErrorFacts,
  extras: string | undefined,
): string | undefined {
  if (name === 'RequestTimeTooSkewed') return "This machine's clock is wrong. Set it, and keep it by NTP."
  if (/Expired|TokenRefreshRequired/.test(name)) return 'The temporary credentials have ended and no newer ones came.'
  if (/ProviderError$/.test(name) || errno === 'ENOENT' || errno === 'EACCES') {
    return 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE, or give `credentials`.'
  }
  if (code === 'CONFIG_INVALID') return 'Set `region`, or AWS_REGION.'
  const region = headers['x-amz-bucket-region']
  if (region !== undefined && (status === 301 || status === 307 || status === 400))
    return `The bucket lies in ${region}: set \`region\`.`
  if (status === 301 || name === 'AuthorizationHeaderMalformed')
    return 'Set `region` and `endpoint` to those of the bucket.'
  if (errno === 'ENOTFOUND' || errno === 'EAI_AGAIN')
    return 'The host name of the endpoint is not found: is it right, and is there a network?'
  if (errno === 'ECONNREFUSED')
    return 'Nothing listens at the endpoint: are its host and port right, and is the store running?'
  if (certificateCode.test(errno))
    return "The store's certificate is not trusted. For a private authority set `caFile`."
  if (code === 'STORAGE_DENIED')
    return 'Check the credentials and what they are allowed to do: the README of @sqlite-backup/storage-s3 has the smallest policy.'
  if (code === 'STORAGE_MISSING') return 'Create the bucket, or correct `bucket`, `endpoint` and `region`.'
  if (name === 'InvalidStorageClass') return 'Leave out `storageClass`, or set one that the store has.'
  if (status === 400 && extras !== undefined) return `The storage may not have what ${extras} asks of it.`
  return undefined
}

function readFacts(error: unknown): ErrorFacts {
  const { name, Code, message, code, $metadata, $response } = Object(error) as Readonly<Record<string, unknown>>
  const meta = Object(typeof $metadata === 'object' ? $metadata : {}) as Readonly<Record<string, unknown>>
  const answer = Object(typeof $response === 'object' ? $response : {}) as Readonly<Record<string, unknown>>
  const status = typeof meta.httpStatusCode === 'number' ? meta.httpStatusCode : answer.statusCode
  return {
    name:
      ([Code, name].find(
        (text) => typeof text === 'string' && text !== '' && !/^(Error|Unknown|UnknownError)$/.test(text),
      ) as string) ??
      text(code) ??
      'unknown error',
    message: text(message),
    code: text(code),
    status: typeof status === 'number' && status > 0 ? status : undefined,
    requestId: typeof meta.requestId === 'string' ? meta.requestId : undefined,
    headers: Object(answer.headers) as Readonly<Record<string, string>>,
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((line, secret) => (secret === '' ? line : line.replaceAll(secret, '***')), text)
}

/** A bare copy: the SDK's errors carry the key, the string that was signed and the whole request. */
function describeCause({ name, message, status, requestId }: ErrorFacts, secrets: readonly string[]): Error {
  const line = withoutSecrets(message, secrets)
  const where = [
    status === undefined ? undefined : `HTTP ${status}`,
    requestId === undefined ? undefined : `request ${requestId}`,
  ]
  const cause = new Error([line, ...where].filter(Boolean).join(', '))
  cause.name = name
  return cause
}

/** True for errors that a store answered, other than those that never reached it. */
export function isAnswer(error: BackupError): boolean {
  return /\bHTTP [1-5]\d\d\b/.test(messageOf(error.cause))
}

function hint(text: string | undefined): { hint?: string } {
  return text === undefined ? {} : { hint: text }
}

/** Seconds or a date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
function retryAfter({ headers }: ErrorFacts): { retryAfterMs?: number } {
  const value = headers['retry-after']
  if (value === undefined) return {}
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.parse(headers.date ?? '')
  return Number.isFinite(ms) ? { retryAfterMs: Math.max(0, ms) } : {}
}

function each(code: ErrorCode, ...names: readonly string[]): Readonly<Record<string, ErrorCode>> {
  return Object.fromEntries(names.map((name) => [name, code]))
}
