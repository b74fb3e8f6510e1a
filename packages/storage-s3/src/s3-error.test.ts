import { inspect } from 'node:util'
import { BackupError, type ErrorCode } from '@sqlite-backup/core'
import { describe, expect, it } from 'vitest'
import { type ErrorContext, toBackupError } from './s3-error.ts'

const context = (more: Partial<ErrorContext> = {}): ErrorContext => ({
  storage: 's3 backups/prod',
  operation: 'put',
  key: 'app/x.db.zst',
  secrets: ['AKIDEXAMPLE', 'hunter2'],
  refusedSince: () => '2026-11-21T03:17:00.000Z',
  ...more,
})

/** As the SDK throws it. */
function answer(name: string, status: number | undefined, message = '', headers: Record<string, string> = {}): Error {
  const error = Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status, requestId: 'tx1' } })
  Object.defineProperty(error, '$response', { value: { statusCode: status, headers }, enumerable: false })
  return error
}

/** As Node throws it. */
function failure(code: string, name = 'Error'): Error {
  return Object.assign(new Error(`something ${code}`), { name, code })
}

describe('toBackupError', () => {
  const cases: readonly (readonly [string, Error, ErrorCode, Partial<ErrorContext>?])[] = [
    // both ways RGW says it, with and without STS
    ['wrong secret', answer('SignatureDoesNotMatch', 403), 'STORAGE_DENIED'],
    ['wrong secret, RGW with STS', answer('AccessDenied', 403, 'UnknownError'), 'STORAGE_DENIED'],
    ['unknown key', answer('InvalidAccessKeyId', 403), 'STORAGE_DENIED'],
    ['refused HEAD, which has no body', answer('Unknown', 403, 'UnknownError'), 'STORAGE_DENIED'],
    ['suspended user', answer('UserSuspended', 403), 'STORAGE_DENIED'],
    ['R2 says 401', answer('Unauthorized', 401), 'STORAGE_DENIED'],
    ['expired token', answer('ExpiredToken', 400), 'STORAGE_DENIED'],
    ['no credentials', answer('CredentialsProviderError', undefined), 'STORAGE_DENIED'],
    ['no bucket', answer('NoSuchBucket', 404), 'STORAGE_MISSING'],
    ['no bucket, no body', answer('NotFound', 404), 'STORAGE_MISSING', { key: undefined, operation: 'list' }],
    ['no object', answer('NoSuchKey', 404), 'OBJECT_MISSING'],
    ['no object, no body', answer('NotFound', 404), 'OBJECT_MISSING'],
    ['quota of RGW', answer('QuotaExceeded', 403), 'STORAGE_FULL'],
    ['disk of MinIO', answer('XMinioStorageFull', 507), 'STORAGE_FULL'],
    ['cap of B2', answer('AccessDenied', 403, 'Cannot upload files, storage cap exceeded.'), 'STORAGE_FULL'],
    ['slow down', answer('SlowDown', 503), 'UNAVAILABLE'],
    ['unnamed 503', answer('Unknown', 503), 'UNAVAILABLE'],
    ['unnamed 429', answer('Unknown', 429), 'UNAVAILABLE'],
    ['clock', answer('RequestTimeTooSkewed', 403), 'UNAVAILABLE'],
    ['bytes spoilt on the way', answer('XAmzContentSHA256Mismatch', 400), 'UNAVAILABLE'],
    ['upload forgotten by the store', answer('NoSuchUpload', 404), 'UNAVAILABLE'],
    ['not implemented', answer('NotImplemented', 501), 'STORAGE_UNSUPPORTED'],
    ['storage class of others', answer('InvalidStorageClass', 400), 'STORAGE_UNSUPPORTED'],
    ['another region', answer('PermanentRedirect', 301), 'STORAGE_FAILED'],
    ['exists', answer('PreconditionFailed', 412), 'OBJECT_EXISTS', { onPrecondition: 'OBJECT_EXISTS' }],
    ['changed', answer('Unknown', 412), 'OBJECT_CHANGED', { onPrecondition: 'OBJECT_CHANGED' }],
    ['key too long', answer('KeyTooLongError', 400), 'KEY_INVALID'],
    ['reset', failure('ECONNRESET', 'TimeoutError'), 'UNAVAILABLE'],
    ['refused', failure('ECONNREFUSED', 'AggregateError'), 'UNAVAILABLE'],
    ['no such host', failure('ENOTFOUND'), 'UNAVAILABLE'],
    ['TLS record spoilt', failure('ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC'), 'UNAVAILABLE'],
    ['HTTP spoilt', failure('HPE_INVALID_HEADER_TOKEN'), 'UNAVAILABLE'],
    ['timeout', failure('ETIMEDOUT', 'TimeoutError'), 'UNAVAILABLE'],
    ['certificate of nobody', failure('DEPTH_ZERO_SELF_SIGNED_CERT'), 'STORAGE_FAILED'],
    ['certificate of another', failure('ERR_TLS_CERT_ALTNAME_INVALID'), 'STORAGE_FAILED'],
    ['certificate of yesterday', failure('CERT_HAS_EXPIRED'), 'STORAGE_FAILED'],
    ['no region', new Error('Region is missing'), 'CONFIG_INVALID'],
    ['anything else', answer('MethodNotInThisCity', 400), 'STORAGE_FAILED'],
  ]
  for (const [what, error, code, more] of cases) {
    it(`says ${code} for: ${what}`, () => {
      const mapped = toBackupError(error, context(more))
      expect(mapped).toMatchObject({ name: 'BackupError', code })
      expect(mapped.message).toMatch(/^s3 backups\/prod: /)
    })
  }

  it('names the storage, the operation and since when it is refused', () => {
    const mapped = toBackupError(answer('InvalidAccessKeyId', 403), context())
    expect(mapped.message).toBe(
      's3 backups/prod: put of app/x.db.zst is refused (InvalidAccessKeyId, HTTP 403), since 2026-11-21T03:17:00.000Z.',
    )
  })

  it('says what happened when there was no answer', () => {
    expect(toBackupError(failure('ECONNRESET'), context()).message).toBe(
      's3 backups/prod: put of app/x.db.zst failed for now (something ECONNRESET).',
    )
    const nameless = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })
    expect(toBackupError(nameless, context()).message).toContain('(ECONNREFUSED)')
    expect(toBackupError(nameless, context()).hint).toMatch(/^Nothing listens at the endpoint/)
  })

  it('keeps no secret, however it is printed', () => {
    const error = answer('InvalidAccessKeyId', 403, 'The key AKIDEXAMPLE with hunter2 is unknown')
    Object.assign(error, { AWSAccessKeyId: 'AKIDEXAMPLE', StringToSign: 'hunter2' })
    const mapped = toBackupError(error, context())
    const shown = `${inspect(mapped, { depth: 9, showHidden: true })} ${JSON.stringify(mapped)}`
    expect(shown).not.toMatch(/AKIDEXAMPLE|hunter2/)
    expect(shown).toContain('The key *** with *** is unknown')
  })

  it('says how long the store wants to be left alone', () => {
    const at = (value: string) =>
      toBackupError(
        answer('SlowDown', 503, '', { 'retry-after': value, date: 'Sat, 21 Nov 2026 03:00:00 GMT' }),
        context(),
      ).retryAfterMs
    expect(at('7')).toBe(7000)
    expect(at('Sat, 21 Nov 2026 03:00:30 GMT')).toBe(30_000)
    expect(at('soon')).toBeUndefined()
  })

  it('names the region the bucket is in', () => {
    const error = answer('PermanentRedirect', 301, '', { 'x-amz-bucket-region': 'eu-west-3' })
    expect(toBackupError(error, context()).hint).toContain('eu-west-3')
  })

  it('leaves our own errors as they are, and aborts as aborts', () => {
    const own = new BackupError('SPOOL_FAILED', 'The spool is gone.')
    expect(toBackupError(own, context())).toBe(own)
    const signal = AbortSignal.abort()
    expect(toBackupError(failure('ECONNRESET'), context({ signal }))).toMatchObject({ code: 'ABORTED' })
  })

  it('takes anything that is thrown', () => {
    for (const thrown of ['text', null, undefined, 7, {}])
      expect(toBackupError(thrown, context()).code).toBe('STORAGE_FAILED')
  })
})
