import type { Size, Storage } from '@sqlite-backup/core'
import { type Env, type KeyNames, readPlatformEnv } from './platform-env.ts'
import { presetOfEndpoint, type S3Preset } from './presets.ts'
import { openS3 } from './s3.ts'
import { assertKnown, invalid, type S3Credentials, type S3Encryption, type S3Options } from './s3-options.ts'

const parameters = [
  'preset',
  'endpoint',
  'region',
  'accountId',
  'forcePathStyle',
  'sse',
  'kmsKeyId',
  'storageClass',
  'partSize',
  'concurrency',
  'caFile',
] as const

/**
 * The storage a URL names: `s3://bucket/prefix?endpoint=…&region=…`. What the URL leaves out, the bucket included, comes from the
 * environment, under the names the platforms give their variables. Keys are only taken from there.
 *
 * @throws BackupError `CONFIG_INVALID`
 * @example
 * const storage = s3FromUrl('s3://acme-backups/prod?region=eu-central-1')
 * const onFly = s3FromUrl('s3://', process.env)
 */
export function s3FromUrl(url: string, env: Env = process.env): Storage {
  return openS3(optionsFromUrl(url, env), { now: () => new Date(), env })
}

/** The options that {@link s3FromUrl} opens a storage with. @throws BackupError `CONFIG_INVALID` */
export function optionsFromUrl(url: string, env: Env): S3Options {
  const parsed = URL.parse(url)
  if (parsed?.protocol !== 's3:') {
    throw invalid('This is no S3 URL.', 'Write it like s3://bucket/prefix?region=eu-central-1.')
  }
  if (parsed.username !== '' || parsed.password !== '' || parsed.host.includes('@')) {
    throw invalid(
      'The URL has credentials in it.',
      'Give them in the environment, where they are not shown in lists and logs.',
    )
  }
  const query = Object.fromEntries(parsed.searchParams)
  assertKnown(query, parameters, '?')
  const { endpoint, forcePathStyle, concurrency, sse, kmsKeyId, partSize, ...plain } = query
  const preset = plain.preset ?? (endpoint === undefined ? undefined : presetOfEndpoint(endpoint))
  const facts = readPlatformEnv(env, preset as S3Preset | undefined)
  const bucket = decode(parsed.host) || facts.bucket
  if (bucket === undefined) {
    throw invalid(
      'The URL names no bucket, and neither does the environment.',
      'Write s3://bucket/prefix, or set BUCKET_NAME.',
    )
  }
  const fromEnv = {
    ...(endpoint === undefined && facts.endpoint !== undefined && { endpoint: facts.endpoint }),
    ...(facts.preset !== undefined && { preset: facts.preset }),
    ...(facts.region !== undefined && { region: facts.region }),
    ...(facts.accountId !== undefined && { accountId: facts.accountId }),
    ...(facts.forcePathStyle !== undefined && { forcePathStyle: facts.forcePathStyle }),
    ...(facts.keys !== undefined && { credentials: () => readKeys(env, facts.keys as KeyNames) }),
    ...(env.AWS_CA_BUNDLE && { caFile: env.AWS_CA_BUNDLE }),
  }
  return {
    ...fromEnv,
    ...(plain as Partial<S3Options>),
    bucket,
    prefix: decode(parsed.pathname),
    ...(endpoint !== undefined && { endpoint }),
    ...(forcePathStyle !== undefined && { forcePathStyle: yesOrNo('forcePathStyle', forcePathStyle) }),
    ...(concurrency !== undefined && { concurrency: Number(concurrency) }),
    ...(partSize !== undefined && { partSize: partSize as Size }),
    ...encryption(sse, kmsKeyId),
  }
}

function readKeys(env: Env, names: KeyNames): S3Credentials {
  const sessionToken = names.sessionToken === undefined ? undefined : env[names.sessionToken]
  return {
    accessKeyId: env[names.accessKeyId]?.trim() ?? '',
    secretAccessKey: env[names.secretAccessKey]?.trim() ?? '',
    ...(sessionToken !== undefined && { sessionToken: sessionToken.trim() }),
  }
}

function encryption(sse: string | undefined, kmsKeyId: string | undefined): { sse?: 'AES256' | S3Encryption } {
  if (kmsKeyId !== undefined) return { sse: { kmsKeyId } }
  return sse === undefined ? {} : { sse: sse as 'AES256' }
}

function yesOrNo(name: string, text: string): boolean {
  if (text === 'true' || text === '1' || text === '') return true
  if (text === 'false' || text === '0') return false
  throw invalid(`"${text}" is no value for ${name}.`, 'Write true or false.')
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw invalid('The URL is not well-formed.', `A percent sign in a name is written %25 (${String(cause)}).`)
  }
}
