// What an app feels while it is backed up to S3 over TLS and while a backup is proven, in both journal modes.
//   node app-latency.mjs [megabytes] [rounds] [wal|delete] [busy timeout]
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { startRgw } from '@sqlite-backup/core/testing'
import { database, dataDir } from './generate.mjs'
import { median, table } from './table.mjs'

const megabytes = Number(process.argv[2] ?? 500)
const rounds = Number(process.argv[3] ?? 3)
const journalModes = process.argv[4] === undefined ? ['wal', 'delete'] : [process.argv[4]]
const busyTimeouts = process.argv[5] === undefined ? [0, 5000] : [Number(process.argv[5])]
const SECONDS = 6
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

/** The app, and what runs beside it. */
const contestants = [
  { beside: 'nothing', mode: 'none' },
  { beside: 'better-sqlite3 .backup() in the app, no upload', mode: 'better-sqlite3' },
  { beside: 'by hand: sqlite3 .backup, zstd, upload', mode: 'backup by hand' },
  { beside: 'our backup to S3 over TLS', mode: 'backup' },
  { beside: 'by hand: download, zstd -d, integrity_check', mode: 'verify by hand', needs: 'backup by hand' },
  { beside: 'our verify, proven', mode: 'proven', needs: 'backup' },
]

async function measure({ mode, needs }, journalMode, busyTimeoutMs, more = {}) {
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
  if (needs !== undefined) app({ mode: needs, forSeconds: 0, busyTimeoutMs: 5000 })
  return app({ mode, forSeconds: SECONDS, ...more })
}

try {
  for (const journalMode of journalModes) {
    for (const busyTimeoutMs of busyTimeouts) {
      const rows = []
      let idle
      for (const contestant of contestants) {
        const runs = []
        for (let round = 0; round < rounds; round++) runs.push(await measure(contestant, journalMode, busyTimeoutMs))
        const of = (key) => median(runs.map((run) => run[key]))
        idle ??= of('p99')
        rows.push({
          beside: contestant.beside,
          'each took, s': contestant.mode === 'none' ? undefined : of('seconds'),
          'longest stall, ms': of('stall'),
          'in a commit': of('commit'),
          'in code': of('code'),
          'no core free': of('queued'),
          'p99, ms': of('p99'),
          'p99 / idle': of('p99') / idle,
          'failed commits': runs.reduce((sum, run) => sum + run.failed, 0),
          note: runs.find((run) => run.refused)?.refused,
        })
      }
      table(
        `${journalMode}, busy timeout ${busyTimeoutMs}: an app doing 500 tx/s on ${megabytes} MB for ${SECONDS} s (median of ${rounds}; goals: stall ≤ 10 ms, p99 ≤ 1.5 × idle, 0 failed commits)`,
        rows,
      )
    }
  }
  if (journalModes.includes('wal')) {
    const checkpoints = []
    for (const contestant of contestants.filter(({ mode }) => mode === 'none' || mode === 'backup')) {
      const run = await measure(contestant, 'wal', 5000, { truncateEvery: 500 })
      checkpoints.push({
        beside: contestant.beside,
        'longest TRUNCATE, ms': run.checkpointMs,
        'largest -wal, MB': run.walMB,
        'failed commits': run.failed,
      })
    }
    table('The app calls wal_checkpoint(TRUNCATE) every 500 transactions', checkpoints)
  }
} finally {
  await rgw.stop()
  rmSync(scratch, { recursive: true, force: true })
}
