// What an app feels while it is backed up to S3 over TLS and while a backup is proven, in both journal modes.
//   node app-latency.mjs [megabytes] [rounds]
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { startRgw } from '@sqlite-backup/core/testing'
import { database, dataDir } from './generate.mjs'
import { median, table } from './table.mjs'

const megabytes = Number(process.argv[2] ?? 500)
const rounds = Number(process.argv[3] ?? 3)
const rgw = await startRgw({ tls: true })
const { accessKeyId, secretAccessKey } = rgw
const admin = new S3Client({
  endpoint: rgw.endpoint,
  region: rgw.region,
  forcePathStyle: true,
  credentials: { accessKeyId, secretAccessKey },
})
database(megabytes)
const scratch = mkdtempSync(join(dataDir, 'latency-'))
let buckets = 0

async function measure(mode, journalMode, busyTimeoutMs, more = {}) {
  const path = join(scratch, 'app.db')
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(path + suffix, { force: true })
  cpSync(database(megabytes, { journalMode }), path)
  const bucket = `bench-${buckets++}`
  await admin.send(new CreateBucketCommand({ Bucket: bucket }))
  const storage = {
    bucket,
    endpoint: rgw.tlsEndpoint,
    region: rgw.region,
    forcePathStyle: true,
    accessKeyId,
    secretAccessKey,
  }
  const app = (options) =>
    JSON.parse(
      execFileSync(process.execPath, ['app.mjs', JSON.stringify({ path, busyTimeoutMs, storage, ...options })], {
        cwd: import.meta.dirname,
        encoding: 'utf8',
        env: { ...process.env, NODE_EXTRA_CA_CERTS: rgw.caFile },
      })
        .trim()
        .split('\n')
        .at(-1),
    )
  if (mode === 'proven') app({ mode: 'backup' })
  return app({ mode, ...more })
}

const rows = []
try {
  for (const journalMode of ['wal', 'delete']) {
    for (const busyTimeoutMs of [0, 5000]) {
      const results = {}
      for (const mode of ['none', 'better-sqlite3', 'backup', 'proven']) {
        const runs = []
        for (let round = 0; round < rounds; round++) runs.push(await measure(mode, journalMode, busyTimeoutMs))
        const of = (key) => median(runs.map((run) => run[key]))
        results[mode] = { p99: of('p99'), stall: of('stall') }
        rows.push({
          journal: journalMode,
          'busy timeout': busyTimeoutMs,
          beside: {
            none: 'nothing',
            'better-sqlite3': 'better-sqlite3 .backup()',
            backup: 'backup to S3 over TLS',
            proven: 'verify --level proven',
          }[mode],
          'took, s': of('seconds'),
          'longest stall, ms': of('stall'),
          'p99, ms': of('p99'),
          'p99 / idle': results[mode].p99 / results.none.p99,
          'failed commits': runs.reduce((sum, run) => sum + run.failed, 0),
          note: runs.find((run) => run.refused)?.refused,
        })
      }
    }
  }
  table(
    `An app doing 500 tx/s on ${megabytes} MB (median of ${rounds}; goals: stall ≤ 10 ms, p99 ≤ 1.5 × idle, 0 failed commits)`,
    rows,
  )
  const checkpoints = []
  for (const mode of ['none', 'backup']) {
    const run = await measure(mode, 'wal', 5000, { truncateEvery: 500 })
    checkpoints.push({
      beside: mode === 'none' ? 'nothing' : 'backup to S3 over TLS',
      'longest TRUNCATE, ms': run.checkpointMs,
      'largest -wal, MB': run.walMB,
      'failed commits': run.failed,
    })
  }
  table('The app calls wal_checkpoint(TRUNCATE) every 500 transactions', checkpoints)
} finally {
  await rgw.stop()
  rmSync(scratch, { recursive: true, force: true })
}
