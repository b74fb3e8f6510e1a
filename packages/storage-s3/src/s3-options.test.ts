import { describe, expect, it } from 'vitest'
import { presets, type S3Preset } from './presets.ts'
import { type Machine, objectParameters, resolveOptions, type S3Options } from './s3-options.ts'

const gib = 1024 ** 3
const machine = (env: Machine['env'] = {}, memoryBytes = 8 * gib): Machine => ({ env, memoryBytes })
const resolve = (options: object, where = machine()) => resolveOptions({ bucket: 'b', ...options } as S3Options, where)

describe('presets', () => {
  it('stand for these defaults', () => {
    const more: Partial<Record<S3Preset, object>> = {
      r2: { accountId: 'abc123' },
      b2: { region: 'us-west-004' },
      minio: { endpoint: 'http://localhost:9000' },
    }
    const shown = Object.keys(presets).map((preset) => {
      const { endpoint, region, forcePathStyle, preset: facts } = resolve({ preset, ...more[preset as S3Preset] })
      return { preset, endpoint, region, forcePathStyle, storesSha256: facts.storesSha256, headers: facts.headers }
    })
    expect(shown).toMatchInlineSnapshot(`
      [
        {
          "endpoint": undefined,
          "forcePathStyle": false,
          "headers": {},
          "preset": "aws",
          "region": undefined,
          "storesSha256": true,
        },
        {
          "endpoint": "https://abc123.r2.cloudflarestorage.com",
          "forcePathStyle": true,
          "headers": {},
          "preset": "r2",
          "region": "auto",
          "storesSha256": false,
        },
        {
          "endpoint": "https://s3.us-west-004.backblazeb2.com",
          "forcePathStyle": true,
          "headers": {},
          "preset": "b2",
          "region": "us-west-004",
          "storesSha256": false,
        },
        {
          "endpoint": "https://storage.railway.app",
          "forcePathStyle": false,
          "headers": {
            "x-tigris-consistent": "true",
          },
          "preset": "railway",
          "region": "auto",
          "storesSha256": false,
        },
        {
          "endpoint": "https://t3.storage.dev",
          "forcePathStyle": false,
          "headers": {
            "x-tigris-consistent": "true",
          },
          "preset": "tigris",
          "region": "auto",
          "storesSha256": false,
        },
        {
          "endpoint": "http://localhost:9000",
          "forcePathStyle": true,
          "headers": {},
          "preset": "minio",
          "region": "us-east-1",
          "storesSha256": false,
        },
      ]
    `)
  })

  it('are known by the host name of the endpoint', () => {
    const storesSha256 = (endpoint: string) => resolve({ endpoint }).preset === presets.aws
    expect(storesSha256('https://s3.eu-west-1.amazonaws.com')).toBe(true)
    expect(storesSha256('https://amazonaws.com.example.org')).toBe(false)
    expect(resolve({ endpoint: 'https://abc.r2.cloudflarestorage.com' }).preset).toBe(presets.r2)
    expect(resolve({ endpoint: 'https://abc.eu.r2.cloudflarestorage.com' }).preset).toBe(presets.r2)
    expect(resolve({ endpoint: 'https://s3.us-west-004.backblazeb2.com' })).toMatchObject({
      preset: presets.b2,
      region: 'us-west-004',
    })
    expect(resolve({ endpoint: 'https://fly.storage.tigris.dev' }).preset).toBe(presets.tigris)
    expect(resolve({ endpoint: 'https://t3.storage.dev' }).preset).toBe(presets.tigris)
    expect(resolve({ endpoint: 'https://storage.railway.app' }).preset).toBe(presets.railway)
    expect(resolve({ endpoint: 'https://ceph.example.com' }).preset).toBe(presets.minio)
  })

  it('follow the endpoint that the environment names for the SDK', () => {
    const where = machine({ AWS_ENDPOINT_URL_S3: 'https://fly.storage.tigris.dev', AWS_REGION: 'eu-west-1' })
    expect(resolve({}, where)).toMatchObject({
      preset: presets.tigris,
      endpoint: 'https://fly.storage.tigris.dev',
      region: 'auto',
    })
    expect(resolve({ preset: 'aws' }, where)).toMatchObject({
      preset: presets.aws,
      endpoint: undefined,
      region: 'eu-west-1',
    })
  })
})

describe('resolveOptions', () => {
  it('fills in every default', () => {
    const { preset, onWarning, ...plain } = resolve({})
    expect(plain).toMatchInlineSnapshot(`
      {
        "bucket": "b",
        "caFile": undefined,
        "concurrency": 3,
        "credentials": undefined,
        "defaultPartSizeBytes": 8388608,
        "endpoint": undefined,
        "forcePathStyle": false,
        "partAttempts": 4,
        "partSizeBytes": undefined,
        "prefix": "",
        "region": undefined,
        "sse": undefined,
        "storageClass": undefined,
        "timeouts": {
          "connectMs": 10000,
          "idleMs": 30000,
          "requestMs": 60000,
        },
      }
    `)
  })

  it('spares small machines', () => {
    expect(resolve({}, machine({}, 256 * 1024 ** 2))).toMatchObject({
      concurrency: 1,
      defaultPartSizeBytes: 5 * 1024 ** 2,
    })
  })

  it('gives the prefix one slash at its end', () => {
    expect(['', '/', 'a', '/a/b/', 'a/b'].map((prefix) => resolve({ prefix }).prefix)).toEqual([
      '',
      '',
      'a/',
      'a/b/',
      'a/b/',
    ])
  })

  it('asks for encryption and storage class with every object', () => {
    expect(objectParameters(resolve({ sse: 'AES256' }))).toEqual({ ServerSideEncryption: 'AES256' })
    expect(objectParameters(resolve({ sse: { kmsKeyId: 'k' }, storageClass: 'STANDARD_IA' }))).toEqual({
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: 'k',
      StorageClass: 'STANDARD_IA',
    })
    expect(objectParameters(resolve({}))).toEqual({})
  })

  const wrong: readonly (readonly [string, object, RegExp, RegExp?])[] = [
    [
      'a misspelt option',
      { forcePathstyle: true },
      /Unknown option "forcePathstyle"/,
      /Did you mean "forcePathStyle"\?/,
    ],
    ['an option of nothing known', { zzzzzz: 1 }, /Unknown option "zzzzzz"/, /There are: bucket, prefix/],
    ['a misspelt timeout', { timeouts: { conect: '1s' } }, /Unknown option "timeouts.conect"/, /"connect"/],
    ['a misspelt preset', { preset: 'aws2' }, /no preset "aws2"/, /"aws"/],
    ['a preset of Object', { preset: 'constructor' }, /no preset "constructor"/],
    ['no bucket', { bucket: '' }, /bucket is missing/],
    [
      'r2 without an account',
      { preset: 'r2' },
      /needs accountId or endpoint/,
      /preset=r2&accountId=….* R2_ACCOUNT_ID or/,
    ],
    ['b2 without a region', { preset: 'b2' }, /needs region or endpoint/, /&region=….* B2_REGION or/],
    ['minio without an endpoint', { preset: 'minio' }, /needs endpoint/],
    ['an endpoint that is none', { endpoint: 'localhost:9000' }, /not an http or https URL/],
    ['an endpoint with a password', { endpoint: 'https://me:hunter2@example.com' }, /user or password/],
    ['credentials in the open', { credentials: { accessKeyId: 'a', secretAccessKey: 'hunter2' } }, /not a function/],
    ['parts too small for S3', { partSize: '1MiB' }, /below the 5 MiB/],
    ['no parts at all', { concurrency: 0 }, /no value for concurrency/],
    ['a duration without unit', { timeouts: { idle: '30' } }, /duration/],
    ['an encryption nobody has', { sse: 'ROT13' }, /no encryption "ROT13"/],
    ['a prefix that steps out', { prefix: '../other' }, /prefix cannot be used/],
  ]
  for (const [what, options, message, hint] of wrong) {
    it(`refuses ${what}`, () => {
      let error: unknown
      try {
        resolve(options)
      } catch (thrown) {
        error = thrown
      }
      expect(error).toMatchObject({
        name: 'BackupError',
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(message),
      })
      if (hint !== undefined) expect(error).toMatchObject({ hint: expect.stringMatching(hint) })
      expect(JSON.stringify(error)).not.toContain('hunter2')
    })
  }
})
