// Backup to S3 (Ceph's gateway on loopback) against doing it by hand, one step after the other.
//   node s3.mjs [megabytes] [rounds]
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { openBackup } from '@sqlite-backup/core'
import { startRgw } from '@sqlite-backup/core/testing'
import { s3 } from '@sqlite-backup/storage-s3'
import { upload } from './by-hand.mjs'
import { database, dataDir } from './generate.mjs'
import { median, table } from './table.mjs'

const megabytes = Number(process.argv[2] ?? 500)
const rounds = Number(process.argv[3] ?? 3)
const LEVEL = 1
const path = database(megabytes)
const rgw = await startRgw()
const { endpoint, region, accessKeyId, secretAccessKey } = rgw
const credentials = { accessKeyId, secretAccessKey }
const client = new S3Client({
  endpoint,
  region,
  forcePathStyle: true,
  credentials,
  requestChecksumCalculation: 'WHEN_REQUIRED',
})
const scratch = mkdtempSync(join(dataDir, 's3-'))
const run = (command, ...args) => execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })

try {
  await client.send(new CreateBucketCommand({ Bucket: 'ours' }))
  await client.send(new CreateBucketCommand({ Bucket: 'theirs' }))
  await using backup = await openBackup({
    databases: { app: path },
    storages: { s3: s3({ bucket: 'ours', endpoint, region, forcePathStyle: true, credentials: () => credentials }) },
    compression: { level: LEVEL },
  })
  const seconds = { ours: [], theirs: [] }
  for (let round = 0; round <= rounds; round++) {
    let began = performance.now()
    await backup.backup('app')
    if (round > 0) seconds.ours.push((performance.now() - began) / 1000)
    began = performance.now()
    const copy = join(scratch, 'copy.db')
    run('sqlite3', path, `.backup '${copy}'`)
    run('zstd', '-qf', '-T0', `-${LEVEL}`, copy, '-o', `${copy}.zst`)
    await upload(client, `${copy}.zst`, 'theirs', `copy-${round}.zst`)
    if (round > 0) seconds.theirs.push((performance.now() - began) / 1000)
  }
  const [ours, theirs] = [median(seconds.ours), median(seconds.theirs)]
  table(`Backup of ${megabytes} MB to S3, level ${LEVEL} (median of ${rounds})`, [
    { 'ours, s': ours, '.backup + zstd -T0 + upload, s': theirs, ratio: ours / theirs, goal: '≤ 0.7' },
  ])
} finally {
  await rgw.stop()
  rmSync(scratch, { recursive: true, force: true })
}
