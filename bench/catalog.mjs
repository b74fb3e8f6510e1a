// The newest of 100,000 backups, by its requests and its time, on S3 (Ceph's gateway on loopback).
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { openBackup } from '@sqlite-backup/core'
import { startRgw, withCount } from '@sqlite-backup/core/testing'
import { s3 } from '@sqlite-backup/storage-s3'
import { dataDir } from './generate.mjs'
import { table } from './table.mjs'

const BACKUPS = Number(process.argv[2] ?? 100_000)
const rgw = await startRgw()
const { endpoint, region, accessKeyId, secretAccessKey } = rgw
const credentials = { accessKeyId, secretAccessKey }
try {
  const admin = new S3Client({ endpoint, region, forcePathStyle: true, credentials })
  await admin.send(new CreateBucketCommand({ Bucket: 'many' }))
  const storage = withCount(
    s3({ bucket: 'many', endpoint, region, forcePathStyle: true, credentials: () => credentials }),
  )
  // Only the keys of manifests are looked at; one every ten minutes makes almost two years.
  const empty = { size: 0, async *stream() {} }
  const newest = Date.UTC(2026, 10, 20)
  const keyOf = (i) => {
    const iso = new Date(newest - i * 600_000).toISOString()
    const random = i.toString(32).padStart(8, '2').replaceAll(/[01]/g, 'z').replaceAll(/[89]/g, 'y').slice(-8)
    return `app/catalog/${iso.slice(0, 10).replaceAll('-', '/')}/${iso.replaceAll(/[-:]/g, '')}-${random}-recent-1000.json`
  }
  let next = 0
  const lane = async () => {
    for (let i = next++; i < BACKUPS; i = next++) await storage.put(keyOf(i), empty)
  }
  await Promise.all(Array.from({ length: 64 }, lane))
  const path = join(dataDir, 'small.db')
  rmSync(path, { force: true })
  const db = new DatabaseSync(path)
  db.exec('CREATE TABLE t (x)')
  db.close()
  await using backup = await openBackup({ databases: { app: path }, storages: { many: storage } })
  const { id } = await backup.backup('app')
  const rows = []
  for (const [what, task] of [
    ['list, newest first, 50', () => backup.list('app', { limit: 50 })],
    ['show latest', () => backup.show('latest')],
    ['show by id', () => backup.show(id)],
  ]) {
    await task() // Loads the SDK, opens connections.
    storage.reset()
    const began = performance.now()
    await task()
    rows.push({
      what,
      of: BACKUPS + 1,
      ms: performance.now() - began,
      lists: storage.counts.list,
      gets: storage.counts.get,
    })
  }
  table('Finding backups on S3', rows)
} finally {
  await rgw.stop()
}
