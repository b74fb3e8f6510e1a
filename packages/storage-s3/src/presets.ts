/** The kinds of S3 this adapter knows. They only choose defaults: every one can be overridden by an option. */
export type S3Preset = 'aws' | 'r2' | 'b2' | 'railway' | 'tigris' | 'minio'

export interface PresetFacts {
  /** Where it is, from region and account. `undefined`: the SDK knows, or it has to be said. */
  readonly endpoint?: (where: { readonly region: string; readonly accountId: string | undefined }) => string | undefined
  readonly region?: string
  /** `https://host/bucket/key` instead of `https://bucket.host/key`. */
  readonly forcePathStyle: boolean
  /** Send SHA-256 as the store's own checksum, which it then keeps, beside the signed payload hash. */
  readonly storesSha256: boolean
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>
}

// Without it a bucket spread over regions may answer from a copy that is behind:
// https://www.tigrisdata.com/docs/objects/conditionals
const consistent = { 'x-tigris-consistent': 'true' }

export const presets: Readonly<Record<S3Preset, PresetFacts>> = Object.freeze({
  aws: { forcePathStyle: false, storesSha256: true, headers: {} },
  r2: {
    // The account's endpoint: https://developers.cloudflare.com/r2/api/s3/api/
    endpoint: ({ accountId }) =>
      accountId === undefined ? undefined : `https://${accountId}.r2.cloudflarestorage.com`,
    region: 'auto',
    forcePathStyle: true,
    storesSha256: false,
    headers: {},
  },
  b2: {
    // https://www.backblaze.com/docs/cloud-storage-call-the-s3-compatible-api
    endpoint: ({ region }) => (region === '' ? undefined : `https://s3.${region}.backblazeb2.com`),
    forcePathStyle: true,
    storesSha256: false,
    headers: {},
  },
  railway: {
    // Buckets live in host names; old ones in paths, as their Credentials tab says: https://docs.railway.com/guides/storage-buckets
    endpoint: () => 'https://storage.railway.app',
    region: 'auto',
    forcePathStyle: false,
    storesSha256: false,
    headers: consistent,
  },
  tigris: {
    endpoint: () => 'https://t3.storage.dev',
    region: 'auto',
    forcePathStyle: false,
    storesSha256: false,
    headers: consistent,
  },
  minio: { region: 'us-east-1', forcePathStyle: true, storesSha256: false, headers: {} },
})

/** What an endpoint is known to be by its host name. Everything unknown is treated like `minio`. */
export function presetOfEndpoint(endpoint: string): S3Preset {
  const host = URL.canParse(endpoint) ? new URL(endpoint).hostname : endpoint
  if (/(^|\.)amazonaws\.com(\.cn)?$/.test(host)) return 'aws'
  if (/(^|\.)r2\.cloudflarestorage\.com$/.test(host)) return 'r2'
  if (/(^|\.)backblazeb2\.com$/.test(host)) return 'b2'
  if (/(^|\.)(storage\.railway\.app|storageapi\.dev)$/.test(host)) return 'railway'
  if (/(^|\.)(storage\.dev|tigris\.dev|tigrisfiles\.io)$/.test(host)) return 'tigris'
  return 'minio'
}

/** The region that is written in an endpoint, like `s3.us-west-004.backblazeb2.com`. */
export function regionOfEndpoint(endpoint: string): string | undefined {
  return /\bs3[.-]([a-z0-9-]+)\.(?:amazonaws\.com|backblazeb2\.com)\b/.exec(endpoint)?.[1]
}
