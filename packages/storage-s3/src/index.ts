/**
 * Storage in S3 and everything that speaks its language.
 *
 * @packageDocumentation
 */
export type { S3Preset } from './presets.ts'
export { s3 } from './s3.ts'
export { s3FromUrl } from './s3-from-url.ts'
export type { S3Credentials, S3Encryption, S3Options, S3Timeouts } from './s3-options.ts'
