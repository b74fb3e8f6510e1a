import type { S3Preset } from './presets.ts'

/** Names of environment variables that mean the same on different platforms; of each list the first that is set counts. */
interface EnvFamily {
  readonly name: string
  readonly preset?: S3Preset
  /** Both must be there: keys are never taken from two families. */
  readonly accessKeyId: readonly string[]
  readonly secretAccessKey: readonly string[]
  readonly sessionToken?: readonly string[]
  readonly bucket: readonly string[]
  readonly endpoint: readonly string[]
  readonly region: readonly string[]
  readonly accountId?: readonly string[]
  /** `path` or `virtual`. */
  readonly urlStyle?: readonly string[]
}

// The SDK's own names. Fly sets them for Tigris with BUCKET_NAME, Railway's preset with AWS_S3_BUCKET_NAME.
const awsFamily: EnvFamily = {
  name: 'AWS_*',
  accessKeyId: ['AWS_ACCESS_KEY_ID'],
  secretAccessKey: ['AWS_SECRET_ACCESS_KEY'],
  sessionToken: ['AWS_SESSION_TOKEN'],
  bucket: ['BUCKET_NAME', 'AWS_S3_BUCKET_NAME', 'AWS_BUCKET_NAME', 'AWS_BUCKET', 'S3_BUCKET'],
  endpoint: ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'],
  region: ['AWS_REGION', 'AWS_DEFAULT_REGION'],
}

/** In the order in which they are looked at. */
export const envFamilies: readonly EnvFamily[] = [
  {
    name: 'BUCKET_*',
    accessKeyId: ['BUCKET_ACCESS_KEY_ID'],
    secretAccessKey: ['BUCKET_SECRET_ACCESS_KEY'],
    sessionToken: ['BUCKET_SESSION_TOKEN'],
    bucket: ['BUCKET_NAME', 'BUCKET'],
    endpoint: ['BUCKET_ENDPOINT', 'BUCKET_ENDPOINT_URL'],
    region: ['BUCKET_REGION'],
    urlStyle: ['BUCKET_URL_STYLE'],
  },
  awsFamily,
  {
    name: 'R2_*',
    preset: 'r2',
    accessKeyId: ['R2_ACCESS_KEY_ID'],
    secretAccessKey: ['R2_SECRET_ACCESS_KEY'],
    bucket: ['R2_BUCKET', 'R2_BUCKET_NAME'],
    endpoint: ['R2_ENDPOINT', 'R2_ENDPOINT_URL'],
    region: ['R2_REGION'],
    accountId: ['R2_ACCOUNT_ID', 'CLOUDFLARE_ACCOUNT_ID'],
  },
  {
    name: 'B2_*',
    preset: 'b2',
    accessKeyId: ['B2_APPLICATION_KEY_ID', 'B2_KEY_ID'],
    secretAccessKey: ['B2_APPLICATION_KEY'],
    bucket: ['B2_BUCKET', 'B2_BUCKET_NAME'],
    endpoint: ['B2_ENDPOINT', 'B2_ENDPOINT_URL'],
    region: ['B2_REGION'],
  },
  {
    name: 'TIGRIS_STORAGE_*',
    preset: 'tigris',
    accessKeyId: ['TIGRIS_STORAGE_ACCESS_KEY_ID'],
    secretAccessKey: ['TIGRIS_STORAGE_SECRET_ACCESS_KEY'],
    bucket: ['TIGRIS_STORAGE_BUCKET'],
    endpoint: ['TIGRIS_STORAGE_ENDPOINT'],
    region: [],
  },
  {
    name: 'MINIO_*',
    preset: 'minio',
    accessKeyId: ['MINIO_ACCESS_KEY', 'MINIO_ROOT_USER'],
    secretAccessKey: ['MINIO_SECRET_KEY', 'MINIO_ROOT_PASSWORD'],
    bucket: ['MINIO_BUCKET', 'MINIO_BUCKET_NAME'],
    endpoint: ['MINIO_ENDPOINT'],
    region: ['MINIO_REGION'],
  },
  {
    // What a Railway bucket calls its variables when they are referenced one by one.
    name: 'BUCKET, ENDPOINT, ACCESS_KEY_ID, SECRET_ACCESS_KEY',
    accessKeyId: ['ACCESS_KEY_ID'],
    secretAccessKey: ['SECRET_ACCESS_KEY'],
    bucket: ['BUCKET'],
    endpoint: ['ENDPOINT'],
    region: ['REGION'],
  },
]

export type Env = Readonly<Record<string, string | undefined>>

/** What one family of variables says. */
export interface EnvFacts {
  readonly family: string
  readonly preset?: S3Preset
  readonly bucket?: string
  readonly endpoint?: string
  readonly region?: string
  readonly accountId?: string
  readonly forcePathStyle?: boolean
  /** Names of the variables with the keys, to be read when they are needed. Without: the SDK's chain. */
  readonly keys?: KeyNames
}

export interface KeyNames {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/**
 * Chooses the family of variables that fits and reads it: the one of `preset`, else a general one, else any, of those that
 * have a pair of keys. Without any keys the SDK's names count: credentials may come from a role, a profile or web identity.
 */
export function readPlatformEnv(env: Env, preset?: S3Preset): EnvFacts {
  const complete = envFamilies.filter((family) => keyNames(env, family) !== undefined)
  const family =
    complete.find((candidate) => preset !== undefined && candidate.preset === preset) ??
    complete.find((candidate) => candidate.preset === undefined) ??
    (preset === undefined ? complete[0] : undefined) ??
    awsFamily
  const keys = keyNames(env, family)
  const endpoint = withScheme(readFirst(env, family.endpoint))
  return compact({
    family: family.name,
    preset: family.preset,
    bucket: readFirst(env, family.bucket),
    endpoint,
    region: readFirst(env, family.region),
    accountId: readFirst(env, family.accountId),
    forcePathStyle: pathStyle(readFirst(env, family.urlStyle)),
    // A profile that is asked for by name goes before keys, as in the SDK.
    keys: family === awsFamily && isSet(env.AWS_PROFILE) ? undefined : keys,
  })
}

function keyNames(env: Env, family: EnvFamily): KeyNames | undefined {
  const accessKeyId = nameOf(env, family.accessKeyId)
  const secretAccessKey = nameOf(env, family.secretAccessKey)
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined
  return compact({ accessKeyId, secretAccessKey, sessionToken: nameOf(env, family.sessionToken) })
}

function nameOf(env: Env, names: readonly string[] = []): string | undefined {
  return names.find((name) => isSet(env[name]))
}

function readFirst(env: Env, names: readonly string[] | undefined): string | undefined {
  const name = nameOf(env, names)
  return name === undefined ? undefined : env[name]?.trim()
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value.trim() !== ''
}

/** Platforms show endpoints as host names. */
function withScheme(endpoint: string | undefined): string | undefined {
  return endpoint === undefined || endpoint.includes('://') ? endpoint : `https://${endpoint}`
}

function pathStyle(style: string | undefined): boolean | undefined {
  if (style === undefined) return undefined
  return style.toLowerCase().startsWith('path')
}

type Compact<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

function compact<T extends object>(value: T): Compact<T> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Compact<T>
}
