import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand, PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3'
import { hasRgw, type Rgw, startRgw } from '@sqlite-backup/core/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { countUsers, makeDatabase, tempFolder } from './testing/make-database.ts'
import { parseJsonLines, runCli } from './testing/run-cli.ts'

describe.skipIf(!hasRgw())('with a bucket', () => {
  let rgw: Rgw
  let env: Readonly<Record<string, string>>
  let readOnly: Readonly<Record<string, string>>

  beforeAll(async () => {
    rgw = await startRgw()
    env = environmentOf(rgw, rgw.accessKeyId, rgw.secretAccessKey)
    const credentials = { accessKeyId: rgw.accessKeyId, secretAccessKey: rgw.secretAccessKey }
    const client = new S3Client({ endpoint: rgw.endpoint, region: rgw.region, forcePathStyle: true, credentials })
    await client.send(new CreateBucketCommand({ Bucket: 'backups' }))
    const keys = ['--access-key', 'reader', '--secret', 'reading']
    await rgw.admin('user', 'create', '--uid', 'reader', '--display-name', 'reader', ...keys)
    await client.send(new PutBucketPolicyCommand({ Bucket: 'backups', Policy: readOnlyPolicy }))
    client.destroy()
    readOnly = environmentOf(rgw, 'reader', 'reading')
  })
  afterAll(() => rgw?.stop())

  it('backs up, lists, verifies, watches and restores, with flags and the environment alone', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'), { rows: 12, blobBytes: 1_000_000 })
    const from = ['--from', 's3://backups/one', '--db', 'app']
    const run = (...args: readonly string[]) => runCli(folder.path, args, { env })

    const backup = await run('backup', './app.db', '--to', 's3://backups/one', '--json')
    expect({ exitCode: backup.exitCode, stderr: backup.stderr }).toEqual({ exitCode: 0, stderr: '' })
    const { events, last } = parseJsonLines(backup.stdout)
    expect(events.map(({ event }) => event)).toContain('backup.progress')
    const [{ result }] = last.result.backups

    expect((await run('list', '--from', 's3://backups/one', '--quiet')).stdout).toBe(`${result.id}\n`)
    expect(await run('verify', 'latest', ...from, '--level', 'proven')).toMatchObject({ exitCode: 0 })
    expect(await run('restore', 'latest', ...from, '-o', './restored.db')).toMatchObject({ exitCode: 0 })
    expect(countUsers(join(folder.path, 'restored.db'))).toBe(12)
  })

  it('says the status with a key that may only read, and exits with 3 when the newest is too old', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    await runCli(folder.path, ['backup', './app.db', '--to', 's3://backups/two'], { env })
    const status = ['status', '--from', 's3://backups/two', '--max-age']
    const young = await runCli(folder.path, [...status, '26h'], { env: readOnly })
    expect(young).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/app .* healthy /) })
    const old = await runCli(folder.path, [...status, '1ms'], { env: readOnly })
    expect(old).toMatchObject({ exitCode: 3, stdout: expect.stringContaining('UNHEALTHY') })
    const write = await runCli(folder.path, ['backup', './app.db', '--to', 's3://backups/two'], { env: readOnly })
    expect({ exitCode: write.exitCode, stderr: write.stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringContaining('AccessDenied'),
    })
  })

  it('never shows a key, whatever fails', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const wrong = environmentOf(rgw, 'nobody-knows-me', 'wrong-secret')
    const results = [
      await runCli(folder.path, ['backup', './app.db', '--to', 's3://backups/x', '--json'], { env: wrong }),
      await runCli(folder.path, ['list', '--from', 's3://backups/x'], { env: wrong }),
      await runCli(folder.path, ['doctor', '--from', 's3://backups/x'], { env: wrong }),
      await runCli(folder.path, ['status', '--from', 's3://no-such-bucket/x'], { env }),
    ]
    for (const { exitCode, stdout, stderr } of results) {
      expect(exitCode).toBeGreaterThan(0)
      expect(stdout + stderr).not.toMatch(/nobody-knows-me|wrong-secret|testing/)
    }
  })

  it('uses a config and the environment together', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const config = `export default {
      databases: { app: './app.db' },
      storages: { local: './backups', offsite: 's3://backups/three' },
    }`
    writeFileSync(join(folder.path, 'sqlite-backup.config.mts'), config)
    expect(await runCli(folder.path, ['backup'], { env })).toMatchObject({ exitCode: 0 })
    const { stdout } = await runCli(folder.path, ['status', '--json'], { env })
    const [{ storages }] = parseJsonLines(stdout).last.result.databases
    expect(storages.map(({ storage }: { storage: string }) => storage)).toEqual(['local', 'offsite'])
  })
})

function environmentOf(rgw: Rgw, accessKeyId: string, secretAccessKey: string): Readonly<Record<string, string>> {
  return {
    AWS_ENDPOINT_URL_S3: rgw.endpoint,
    AWS_REGION: rgw.region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  }
}

const readOnlyPolicy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { AWS: ['arn:aws:iam:::user/reader'] },
      Action: ['s3:GetObject', 's3:ListBucket'],
      Resource: ['arn:aws:s3:::backups', 'arn:aws:s3:::backups/*'],
    },
  ],
})
