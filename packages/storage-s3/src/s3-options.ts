import { totalmem } from 'node:os'
import type { StorageClass } from '@aws-sdk/client-s3'
import {
  assertKey,
  BackupError,
  type Duration,
  messageOf,
  parseDuration,
  parseSize,
  profileFor,
  type Size,
} from '@sqlite-backup/core'
import { type Env, envFamilies } from './platform-env.ts'
import { type PresetFacts, presetOfEndpoint, presets, regionOfEndpoint, type S3Preset } from './presets.ts'

export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  /** When they end; asked for again shortly before. */
  readonly expiration?: Date
}

/** Encryption at rest, done by the store. */
export interface S3Encryption {
  /** A key of the store's key service (SSE-KMS). Without it the store's own keys are used (SSE-S3, AES256). */
  readonly kmsKeyId?: string
  /** Refuse to store anything in a store that does not say it encrypts. Otherwise there is one warning. @default false */
  readonly require?: boolean
}

export interface S3Timeouts {
  /** To reach the store, TLS included. @default '10s' */
  readonly connect?: Duration
  /** From the last byte of a request to the first of its answer. @default '60s' */
  readonly request?: Duration
  /** Without a byte moving, up or down. @default '30s' */
  readonly idle?: Duration
}

export interface S3Options {
  readonly bucket: string
  /** A folder in the bucket that everything lies in, like `prod`. @default '' */
  readonly prefix?: string
  /** Chooses endpoint, region, URL style and checksums. @default by the endpoint's host name, or 'aws' without one */
  readonly preset?: S3Preset
  /** Like `https://s3.example.com`, without the bucket. @default the preset's */
  readonly endpoint?: string
  /** @default the preset's, for AWS the SDK's (`AWS_REGION`, profile) */
  readonly region?: string
  /** The Cloudflare account that the endpoint of preset `r2` is made of. */
  readonly accountId?: string
  /** `https://host/bucket/key` instead of `https://bucket.host/key`. @default the preset's */
  readonly forcePathStyle?: boolean
  /**
   * Asked for on first use, and again shortly before they expire.
   * @default the SDK's chain: environment, web identity, profiles, container and instance roles
   */
  readonly credentials?: () => S3Credentials | Promise<S3Credentials>
  /** Encryption at rest by the store, asked for with every object and read back. @default what the bucket does by itself */
  readonly sse?: 'AES256' | S3Encryption
  /** Like `STANDARD_IA`. @default the bucket's */
  readonly storageClass?: string
  readonly timeouts?: S3Timeouts
  /** The size of the parts of large objects, at least 5 MiB. @default the body's pieces, else '8MiB' ('5MiB' below 512 MiB of memory) */
  readonly partSize?: Size
  /** Parts sent at the same time. @default 3 (1 below 512 MiB of memory) */
  readonly concurrency?: number
  /** How often one part is tried before the whole upload fails. @default 4 */
  readonly partAttempts?: number
  /** A PEM file with the certificate authority of a private store, trusted instead of the public ones. */
  readonly caFile?: string
  /** Told about what is stored otherwise than asked for. @default process.emitWarning */
  readonly onWarning?: (message: string) => void
}

/** {@link S3Options} with every default in its place. */
export interface S3Settings {
  readonly bucket: string
  /** Empty, or ending in a slash. */
  readonly prefix: string
  readonly endpoint: string | undefined
  readonly region: string | undefined
  readonly forcePathStyle: boolean
  readonly preset: PresetFacts
  readonly credentials: S3Options['credentials']
  readonly sse: S3Encryption | undefined
  readonly storageClass: string | undefined
  readonly timeouts: { readonly connectMs: number; readonly requestMs: number; readonly idleMs: number }
  readonly partSizeBytes: number | undefined
  readonly defaultPartSizeBytes: number
  readonly concurrency: number
  readonly partAttempts: number
  readonly caFile: string | undefined
  readonly onWarning: (message: string) => void
}

export const mib = 1024 * 1024
/** S3's smallest part, but for the last: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
export const minPartSizeBytes = 5 * mib

export const optionNames: readonly (keyof S3Options)[] = [
  'bucket',
  'prefix',
  'preset',
  'endpoint',
  'region',
  'accountId',
  'forcePathStyle',
  'credentials',
  'sse',
  'storageClass',
  'timeouts',
  'partSize',
  'concurrency',
  'partAttempts',
  'caFile',
  'onWarning',
]

/** Checks the options and fills in the defaults. @throws BackupError `CONFIG_INVALID` */
export function resolveOptions(options: S3Options, where: Machine = machine()): S3Settings {
  assertKnown(options, optionNames, '')
  if (typeof options.bucket !== 'string' || options.bucket === '') throw invalid('The bucket is missing.')
  // The SDK would take these by itself, but then with the manners of AWS.
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = where.env
  const fromEnv =
    options.preset === undefined ? (nonEmpty(AWS_ENDPOINT_URL_S3) ?? nonEmpty(AWS_ENDPOINT_URL)) : undefined
  const given = nonEmpty(options.endpoint) ?? fromEnv
  const name: S3Preset = options.preset ?? (given === undefined ? 'aws' : presetOfEndpoint(given))
  const preset = Object.hasOwn(presets, name) ? presets[name] : undefined
  if (preset === undefined) throw invalid(`There is no preset "${name}".`, suggestion(name, Object.keys(presets)))
  const { AWS_REGION, AWS_DEFAULT_REGION } = where.env
  const region =
    nonEmpty(options.region) ??
    (given === undefined ? undefined : regionOfEndpoint(given)) ??
    preset.region ??
    (name === 'aws' ? (nonEmpty(AWS_REGION) ?? nonEmpty(AWS_DEFAULT_REGION)) : undefined)
  const small = profileFor(where.memoryBytes) === 'small'
  const { connect = '10s', request = '60s', idle = '30s', ...unknownTimeouts } = options.timeouts ?? {}
  assertKnown(unknownTimeouts, ['connect', 'request', 'idle'], 'timeouts.')
  return {
    bucket: options.bucket,
    prefix: folderOf(options.prefix ?? ''),
    endpoint: given === undefined ? endpointOf(name, preset, options, region) : checkedEndpoint(given),
    region,
    forcePathStyle: options.forcePathStyle ?? preset.forcePathStyle,
    preset,
    credentials: credentialsOf(options.credentials),
    sse: encryptionOf(options.sse),
    storageClass: nonEmpty(options.storageClass),
    timeouts: {
      connectMs: parseDuration(connect),
      requestMs: parseDuration(request),
      idleMs: parseDuration(idle),
    },
    partSizeBytes: options.partSize === undefined ? undefined : partSizeOf(options.partSize),
    defaultPartSizeBytes: small ? minPartSizeBytes : 8 * mib,
    concurrency: atLeastOne('concurrency', options.concurrency ?? (small ? 1 : 3)),
    partAttempts: atLeastOne('partAttempts', options.partAttempts ?? 4),
    caFile: nonEmpty(options.caFile),
    onWarning: options.onWarning ?? ((message) => process.emitWarning(message, { code: 'SQLITE_BACKUP_S3' })),
  }
}

function endpointOf(
  name: S3Preset,
  preset: PresetFacts,
  options: S3Options,
  region: string | undefined,
): string | undefined {
  const made = preset.endpoint?.({ region: region ?? '', accountId: nonEmpty(options.accountId) })
  if (made !== undefined || name === 'aws') return made
  const missing = { r2: 'accountId or endpoint', b2: 'region or endpoint' }[name as string] ?? 'endpoint'
  const family = envFamilies.find(({ preset }) => preset === name)
  const variables = [...(family?.accountId ?? []), ...(family?.region ?? []), ...(family?.endpoint ?? [])]
  const orVariable = variables.length === 0 ? '' : ` Or set ${variables.join(' or ')}.`
  throw invalid(
    `Preset "${name}" needs ${missing}.`,
    `In a URL: s3://bucket/prefix?preset=${name}&${missing.replace(/ .*/, '')}=…${orVariable}`,
  )
}

function checkedEndpoint(endpoint: string): string {
  const url = URL.parse(endpoint)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw invalid('The endpoint is not an http or https URL.', 'Write it like https://s3.example.com.')
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid('The endpoint has a user or password in it.', 'Give them as `credentials` or in the environment.')
  }
  return endpoint
}

function folderOf(prefix: string): string {
  const trimmed = prefix.replace(/^\/+|\/+$/g, '')
  if (trimmed === '') return ''
  try {
    assertKey(trimmed)
  } catch (error) {
    throw invalid(`The prefix cannot be used: ${messageOf(error)}`)
  }
  return `${trimmed}/`
}

function credentialsOf(credentials: unknown): S3Options['credentials'] {
  if (credentials === undefined) return undefined
  if (typeof credentials !== 'function') {
    throw invalid(
      'The credentials are not a function.',
      'Write `credentials: () => ({ accessKeyId: …, secretAccessKey: … })` and take them from the environment, so that no secret lies in the config.',
    )
  }
  return credentials as S3Options['credentials']
}

function encryptionOf(sse: S3Options['sse']): S3Encryption | undefined {
  if (sse === undefined) return undefined
  if (sse === 'AES256') return {}
  if (typeof sse !== 'object') throw invalid(`There is no encryption "${sse}".`, "Write 'AES256' or { kmsKeyId: … }.")
  assertKnown(sse, ['kmsKeyId', 'require'], 'sse.')
  return sse
}

function partSizeOf(size: Size): number {
  const sizeBytes = parseSize(size)
  if (sizeBytes < minPartSizeBytes) throw invalid('The partSize is below the 5 MiB that S3 takes.')
  return sizeBytes
}

/** What the defaults depend on. */
export interface Machine {
  readonly env: Env
  /** Total memory, or what this container may use of it. */
  readonly memoryBytes: number
}

export function machine(env: Env = process.env): Machine {
  const constrained = process.constrainedMemory()
  return { env, memoryBytes: constrained > 0 ? Math.min(constrained, totalmem()) : totalmem() }
}

function atLeastOne(name: string, value: number): number {
  if (!Number.isInteger(value) || value < 1) throw invalid(`"${value}" is no value for ${name}.`, 'Write 1 or more.')
  return value
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === '' ? undefined : text.trim()
}

export function assertKnown(options: object, known: readonly string[], path: string): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw invalid(`Unknown option "${path}${name}".`, suggestion(name, known))
  }
}

function suggestion(name: string, known: readonly string[]): string {
  const [nearest] = known
    .map((candidate) => ({ candidate, steps: editDistance(name, candidate) }))
    .sort((a, b) => a.steps - b.steps)
  if (nearest !== undefined && nearest.steps <= Math.max(2, name.length / 3))
    return `Did you mean "${nearest.candidate}"?`
  return `There are: ${known.join(', ')}.`
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (const [i, x] of [...a.toLowerCase()].entries()) {
    const next = [i + 1]
    for (const [j, y] of [...b.toLowerCase()].entries()) {
      next.push(Math.min((row[j] ?? 0) + (x === y ? 0 : 1), (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

export function invalid(message: string, hint?: string): BackupError {
  return new BackupError('CONFIG_INVALID', `S3: ${message}`, hint === undefined ? {} : { hint })
}

/** What a request that makes an object asks of the store. */
export function objectParameters({ sse, storageClass }: Pick<S3Settings, 'sse' | 'storageClass'>): {
  ServerSideEncryption?: 'AES256' | 'aws:kms'
  SSEKMSKeyId?: string
  StorageClass?: StorageClass
} {
  return {
    ...(sse !== undefined && { ServerSideEncryption: sse.kmsKeyId === undefined ? 'AES256' : 'aws:kms' }),
    ...(sse?.kmsKeyId !== undefined && { SSEKMSKeyId: sse.kmsKeyId }),
    ...(storageClass !== undefined && { StorageClass: storageClass as StorageClass }),
  }
}

/** The names of the options behind {@link objectParameters}, for errors. */
export function extrasOf({ sse, storageClass }: Pick<S3Settings, 'sse' | 'storageClass'>): string | undefined {
  const names = [sse && '`sse`', storageClass && '`storageClass`'].filter(Boolean)
  return names.length === 0 ? undefined : names.join(' or ')
}
