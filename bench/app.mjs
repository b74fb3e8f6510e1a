// The app of the latency bench: 500 small transactions a second, and one of the contestants doing its work beside them.
//   node app.mjs '{"path":…, "mode":…, "busyTimeoutMs":…, "storage":{…}}'   → one line of JSON
import { statSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import Database from 'better-sqlite3'

const options = JSON.parse(process.argv[2])
const PER_SECOND = 500
const db = new Database(options.path, { timeout: options.busyTimeoutMs })
db.pragma('synchronous = NORMAL')
db.exec('CREATE TABLE IF NOT EXISTS ticks (id INTEGER PRIMARY KEY, at REAL, note TEXT)')
const insert = db.prepare('INSERT INTO ticks (at, note) VALUES (?, ?)')
const touch = db.prepare('UPDATE orders SET status = ? WHERE id = ?')
let n = 0
const transaction = db.transaction(() => {
  insert.run(performance.now(), 'x'.repeat(80))
  touch.run(n % 2 ? 'paid' : 'sent', 1 + ((n * 7919) % 100_000))
})

async function contestant() {
  if (options.mode === 'none') return async () => new Promise((resolve) => setTimeout(resolve, 4000))
  if (options.mode === 'better-sqlite3') return () => db.backup(`${options.path}.copy`)
  const { openBackup } = await import('@sqlite-backup/core')
  const { s3 } = await import('@sqlite-backup/storage-s3')
  const { accessKeyId, secretAccessKey, ...rest } = options.storage
  const backup = await openBackup({
    databases: { app: options.path },
    storages: { s3: s3({ ...rest, credentials: () => ({ accessKeyId, secretAccessKey }) }) },
  })
  // In rollback-journal mode an app that writes all the time is rather told that a backup would block it.
  if (options.mode === 'backup')
    return () =>
      backup.backup('app').catch((error) => {
        if (error.code !== 'BACKUP_WOULD_BLOCK') throw error
        refused = error.code
      })
  // The backup to verify is there already; loading the SDK and shaking hands is not what is measured here.
  await backup.list('app')
  return () => backup.verify('latest', { level: 'proven' })
}

const work = await contestant()
const delay = monitorEventLoopDelay({ resolution: 1 })
const latencies = []
/** How long the app's own TRUNCATE checkpoints took, and how large the log became. */
let checkpointMs = 0
let walBytes = 0
let failed = 0
let refused
let busy = true

async function load() {
  let due = performance.now()
  while (busy) {
    due += 1000 / PER_SECOND
    const wait = due - performance.now()
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    // What a user of this app feels: from when the request should have been served until it was.
    const from = Math.max(due, performance.now() - 1000)
    n++
    try {
      transaction()
    } catch {
      failed++
    }
    latencies.push(performance.now() - from)
    if (options.truncateEvery && n % options.truncateEvery === 0) {
      walBytes = Math.max(walBytes, statSync(`${options.path}-wal`).size)
      const started = performance.now()
      db.pragma('wal_checkpoint(TRUNCATE)')
      checkpointMs = Math.max(checkpointMs, performance.now() - started)
    }
  }
}

const loading = load()
await new Promise((resolve) => setTimeout(resolve, 1000))
latencies.length = 0
failed = 0
checkpointMs = 0
walBytes = 0
delay.enable()
const began = performance.now()
await work()
const seconds = (performance.now() - began) / 1000
delay.disable()
busy = false
await loading
latencies.sort((a, b) => a - b)
const at = (p) => latencies[Math.min(latencies.length - 1, Math.floor(p * latencies.length))]
console.log(
  JSON.stringify({
    seconds,
    transactions: latencies.length,
    failed,
    p50: at(0.5),
    p99: at(0.99),
    max: latencies.at(-1),
    stall: delay.max / 1e6 - 1,
    refused,
    checkpointMs,
    walMB: walBytes / 1e6,
  }),
)
process.exit(0)
