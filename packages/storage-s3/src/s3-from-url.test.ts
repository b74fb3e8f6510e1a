import { describe, expect, it } from 'vitest'
import type { Env } from './platform-env.ts'
import { presets } from './presets.ts'
import { optionsFromUrl, s3FromUrl } from './s3-from-url.ts'
import { resolveOptions } from './s3-options.ts'

/** What a URL and an environment come to, with the keys that would be used. */
async function settings(url: string, env: Env = {}) {
  const options = optionsFromUrl(url, env)
  const { bucket, prefix, endpoint, region, forcePathStyle, preset, sse, storageClass, caFile } = resolveOptions(
    options,
    {
      env,
      memoryBytes: 2 ** 33,
    },
  )
  const [name] = Object.entries(presets).find(([, facts]) => facts === preset) ?? []
  const keys = await options.credentials?.()
  return { bucket, prefix, endpoint, region, forcePathStyle, preset: name, sse, storageClass, caFile, keys }
}

describe('s3FromUrl', () => {
  it('has a name that shows bucket and prefix, and no key', () => {
    const storage = s3FromUrl('s3://backups/prod/eu?region=eu-central-1', {
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'hunter2',
    })
    expect(storage.name).toBe('s3 backups/prod/eu')
    expect(storage.kind).toBe('s3')
  })

  it('reads everything from the query', async () => {
    const url =
      's3://my_bucket/a%20b/c?endpoint=http://localhost:9000&region=us-east-2&forcePathStyle=true&sse=AES256&storageClass=STANDARD_IA&partSize=16MiB&concurrency=2&caFile=/etc/ca.pem'
    expect(await settings(url)).toMatchObject({
      bucket: 'my_bucket',
      prefix: 'a b/c/',
      endpoint: 'http://localhost:9000',
      region: 'us-east-2',
      forcePathStyle: true,
      preset: 'minio',
      sse: {},
      storageClass: 'STANDARD_IA',
      caFile: '/etc/ca.pem',
    })
    expect(await settings('s3://b?kmsKeyId=key-1')).toMatchObject({ sse: { kmsKeyId: 'key-1' } })
    expect(await settings('s3://b?forcePathStyle=0')).toMatchObject({ forcePathStyle: false })
  })

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['https://backups/prod', /no S3 URL/],
    ['backups', /no S3 URL/],
    ['s3://AKIDEXAMPLE:hunter2@backups/prod', /has credentials in it/],
    ['s3://backups?endpont=x', /Unknown option "\?endpont"/],
    ['s3://backups?accessKeyId=hunter2', /Unknown option "\?accessKeyId"/],
    ['s3://backups?forcePathStyle=perhaps', /no value for forcePathStyle/],
    ['s3://', /names no bucket/],
    ['s3://backups/100%', /not well-formed/],
  ]
  for (const [url, message] of wrong) {
    it(`refuses ${url.replace('hunter2', '…')}`, () => {
      let error: unknown
      try {
        s3FromUrl(url, {})
      } catch (thrown) {
        error = thrown
      }
      expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) })
      expect(JSON.stringify(error)).not.toContain('hunter2')
    })
  }
})

describe('the variables of the platforms', () => {
  const keys = { accessKeyId: 'id', secretAccessKey: 'secret' }

  it('AWS: keys, region, session', async () => {
    const env = {
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_SESSION_TOKEN: 'token',
      AWS_REGION: 'eu-west-1',
    }
    expect(await settings('s3://b', env)).toMatchObject({
      preset: 'aws',
      endpoint: undefined,
      region: 'eu-west-1',
      keys: { ...keys, sessionToken: 'token' },
    })
  })

  it('AWS: without keys, or with a profile, the SDK looks for itself', async () => {
    expect((await settings('s3://b', { AWS_ROLE_ARN: 'arn', AWS_REGION: 'eu-west-1' })).keys).toBeUndefined()
    const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_PROFILE: 'work' }
    expect((await settings('s3://b', env)).keys).toBeUndefined()
  })

  it('Fly with Tigris, as `fly storage create` sets them', async () => {
    const env = {
      BUCKET_NAME: 'polished-thunder',
      AWS_ENDPOINT_URL_S3: 'https://fly.storage.tigris.dev',
      AWS_REGION: 'auto',
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'secret',
    }
    expect(await settings('s3://', env)).toMatchObject({
      bucket: 'polished-thunder',
      preset: 'tigris',
      endpoint: 'https://fly.storage.tigris.dev',
      region: 'auto',
      forcePathStyle: false,
      keys,
    })
    expect((await settings('s3:///prod', env)).prefix).toBe('prod/')
    expect((await settings('s3://other', env)).bucket).toBe('other')
  })

  it('Railway, with its preset for AWS SDKs and with its own names', async () => {
    const preset = {
      AWS_ENDPOINT_URL: 'https://storage.railway.app',
      AWS_S3_BUCKET_NAME: 'data-x7',
      AWS_DEFAULT_REGION: 'auto',
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'secret',
    }
    const own = {
      ENDPOINT: 'https://storage.railway.app',
      BUCKET: 'data-x7',
      REGION: 'auto',
      ACCESS_KEY_ID: 'id',
      SECRET_ACCESS_KEY: 'secret',
    }
    for (const env of [preset, own]) {
      expect(await settings('s3://', env)).toMatchObject({
        bucket: 'data-x7',
        preset: 'railway',
        endpoint: 'https://storage.railway.app',
        region: 'auto',
        forcePathStyle: false,
        keys,
      })
    }
  })

  it('BUCKET_*, before all others', async () => {
    const env = {
      BUCKET_NAME: 'b',
      BUCKET_ENDPOINT: 'minio.internal:9000',
      BUCKET_REGION: 'us-east-1',
      BUCKET_ACCESS_KEY_ID: 'id',
      BUCKET_SECRET_ACCESS_KEY: 'secret',
      BUCKET_URL_STYLE: 'virtual',
      AWS_ACCESS_KEY_ID: 'other',
      AWS_SECRET_ACCESS_KEY: 'other',
      AWS_REGION: 'eu-west-1',
    }
    expect(await settings('s3://', env)).toMatchObject({
      bucket: 'b',
      endpoint: 'https://minio.internal:9000',
      region: 'us-east-1',
      forcePathStyle: false,
      keys,
    })
  })

  it('Cloudflare R2: the account makes the endpoint', async () => {
    const env = { R2_ACCOUNT_ID: 'abc', R2_ACCESS_KEY_ID: 'id', R2_SECRET_ACCESS_KEY: 'secret', R2_BUCKET: 'b' }
    const expected = {
      bucket: 'b',
      preset: 'r2',
      endpoint: 'https://abc.r2.cloudflarestorage.com',
      region: 'auto',
      keys,
    }
    expect(await settings('s3://', env)).toMatchObject(expected)
    const aws = { AWS_ACCESS_KEY_ID: 'other', AWS_SECRET_ACCESS_KEY: 'other' }
    expect(await settings('s3://b?preset=r2', { ...env, ...aws })).toMatchObject(expected)
    expect(await settings('s3://b?endpoint=https://abc.r2.cloudflarestorage.com', { ...env, ...aws })).toMatchObject(
      expected,
    )
    // Keys that lie about for something else are not used for AWS.
    expect(await settings('s3://b?region=eu-west-1', { ...env, ...aws })).toMatchObject({
      preset: 'aws',
      keys: { accessKeyId: 'other' },
    })
  })

  it('Backblaze B2, Tigris, MinIO', async () => {
    const b2 = {
      B2_APPLICATION_KEY_ID: 'id',
      B2_APPLICATION_KEY: 'secret',
      B2_ENDPOINT: 's3.us-west-004.backblazeb2.com',
      B2_BUCKET: 'b',
    }
    expect(await settings('s3://', b2)).toMatchObject({
      preset: 'b2',
      endpoint: 'https://s3.us-west-004.backblazeb2.com',
      region: 'us-west-004',
      keys,
    })
    const tigris = {
      TIGRIS_STORAGE_ACCESS_KEY_ID: 'id',
      TIGRIS_STORAGE_SECRET_ACCESS_KEY: 'secret',
      TIGRIS_STORAGE_BUCKET: 'b',
    }
    expect(await settings('s3://', tigris)).toMatchObject({
      preset: 'tigris',
      endpoint: 'https://t3.storage.dev',
      keys,
    })
    const minio = { MINIO_ENDPOINT: 'http://localhost:9000', MINIO_ACCESS_KEY: 'id', MINIO_SECRET_KEY: 'secret' }
    expect(await settings('s3://b', minio)).toMatchObject({ preset: 'minio', endpoint: 'http://localhost:9000', keys })
  })

  it('never mix keys of two families', async () => {
    const env = { R2_ACCESS_KEY_ID: 'half', B2_APPLICATION_KEY: 'half', AWS_REGION: 'eu-west-1' }
    expect((await settings('s3://b', env)).keys).toBeUndefined()
  })
})
