// The first page of the admin with 10,000 backups on S3 (Ceph's gateway on loopback): its requests, its time, its weight.
//   node admin.mjs [backups] [rounds]
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { createAdmin } from '@sqlite-backup/admin'
import { bytesBody, listAll, openBackup, readObject } from '@sqlite-backup/core'
import { startRgw, withCount } from '@sqlite-backup/core/testing'
import { s3 } from '@sqlite-backup/storage-s3'
import { dataDir } from './generate.mjs'
import { median, table } from './table.mjs'

const BACKUPS = Number(process.argv[2] ?? 10_000)
const ROUNDS = Number(process.argv[3] ?? 15)
const rgw = await startRgw()
const { endpoint, region, accessKeyId, secretAccessKey } = rgw
const credentials = { accessKeyId, secretAccessKey }

/** Hourly ones before the one that is there: copies of its manifest. */
async function putOlder(storage) {
  const { value } = await listAll(storage, { prefix: 'app/catalog/' }).next()
  // Copies have another digest; one without is read as one of an early version.
  const { manifestSha256: _, ...manifest } = JSON.parse(Buffer.from(await readObject(storage, value.key)).toString())
  const { id, created } = manifest
  const text = JSON.stringify(manifest)
  const random = id.slice(-8)
  const rest = value.key.slice(value.key.indexOf(random))
  let next = 1
  const lane = async () => {
    for (let i = next++; i < BACKUPS; i = next++) {
      const iso = new Date(Date.parse(created) - i * 3_600_000).toISOString()
      const stamp = iso.replaceAll(/[-:]/g, '')
      const older = text.replaceAll(created, iso).replaceAll(id, `${stamp.slice(0, 15)}Z-${random}`)
      await storage.put(
        `app/catalog/${iso.slice(0, 10).replaceAll('-', '/')}/${stamp}-${rest}`,
        bytesBody(Buffer.from(older)),
      )
    }
  }
  await Promise.all(Array.from({ length: 32 }, lane))
}

/** Answers of a fresh admin: a cache of the one before would make it look better than it is. */
async function view(backup, path) {
  const authorize = () => ({ actor: { id: 'bench' }, permissions: 'all' })
  const admin = createAdmin({ backup, authorize })
  const began = performance.now()
  const request = new Request(`http://localhost/admin/backups${path}`)
  const response = await admin.handle(request, { input: request, basePath: '/admin/backups' })
  const text = await response.text()
  const ms = performance.now() - began
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${text.slice(0, 300)}`)
  const assets = [...text.matchAll(/(?:href|src)="\/admin\/backups(\/assets\/[^"]+)"/g)].map(([, asset]) => asset)
  let bytes = Buffer.byteLength(text)
  for (const asset of assets) {
    const asked = new Request(`http://localhost/admin/backups${asset}`)
    bytes += Buffer.byteLength(await (await admin.handle(asked, { input: asked, basePath: '/admin/backups' })).text())
  }
  await admin.close()
  return { ms, bytes }
}

try {
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials })
  await client.send(new CreateBucketCommand({ Bucket: 'many' }))
  const storage = withCount(
    s3({ bucket: 'many', endpoint, region, forcePathStyle: true, credentials: () => credentials }),
  )
  const path = join(dataDir, 'admin.db')
  rmSync(path, { force: true })
  const db = new DatabaseSync(path)
  db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, x); INSERT INTO t (x) VALUES (1)')
  db.close()
  await using backup = await openBackup({ databases: { app: path }, storages: { many: storage }, jobs: false })
  const { id } = await backup.backup('app')
  await putOlder(storage)
  const rows = []
  for (const [what, address, goal, requests] of [
    ['overview', '/', '≤ 300', '≤ 6'],
    ['list of 50', '/backups', '', ''],
    ['restore points of 7 days', '/restore', '', ''],
    ['plan of a restore, compared', `/restore/${id}`, '', ''],
    ['storage use', '/storage', '', ''],
  ]) {
    await view(backup, address) // Loads the SDK, opens connections.
    const times = []
    let bytes = 0
    storage.reset()
    for (let round = 0; round < ROUNDS; round++) {
      const seen = await view(backup, address)
      times.push(seen.ms)
      bytes = seen.bytes
    }
    rows.push({
      page: what,
      of: BACKUPS,
      'first view, ms': median(times),
      goal,
      requests: Math.ceil(storage.total() / ROUNDS),
      'goal ': requests,
      'weight, KB': bytes / 1000,
      'goal  ': what === 'overview' ? '≤ 60' : '',
    })
  }
  table(`Pages of the admin on S3, each by an admin that knows nothing yet (median of ${ROUNDS})`, rows)
} finally {
  await rgw.stop()
}
