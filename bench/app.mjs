// The app of the latency bench: 500 small transactions a second, and one of the contestants doing its work beside them, again
// and again for some seconds: a share of the latencies of one short backup says little.
//   node app.mjs '{"path":…, "mode":…, "forSeconds":…, "busyTimeoutMs":…, "storage":{…}}'   → one line of JSON
import { spawn } from 'node:child_process'
import { existsSync, openSync, readSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
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

/** What a script beside the app would do; in its own processes, with the priority of any other. */
function byHand(...commands) {
  return new Promise((resolve, reject) => {
    const shell = spawn('sh', ['-ec', commands.join('\n')], { stdio: ['ignore', 'ignore', 'inherit'] })
    shell.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`By hand ended with ${code}.`))))
  })
}

function stepsByHand() {
  const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`
  const copy = quote(`${options.path}.copy`)
  const packed = quote(`${options.path}.copy.zst`)
  const node = [process.execPath, join(import.meta.dirname, 'by-hand.mjs')].map(quote).join(' ')
  const storage = quote(JSON.stringify(options.storage))
  return {
    backup: [
      // Without the transaction each commit of the app makes it start from the beginning: it never ends.
      `sqlite3 ${quote(options.path)} '.timeout 5000' BEGIN 'SELECT count(*) FROM sqlite_schema' ".backup ${copy}"`,
      `zstd -qf -1 ${copy} -o ${packed}`,
      `${node} put ${packed} ${storage}`,
    ],
    verify: [
      `${node} get ${packed} ${storage}`,
      `zstd -dqf ${packed} -o ${copy}`,
      `sqlite3 ${copy} 'PRAGMA integrity_check; PRAGMA foreign_key_check'`,
    ],
  }
}

async function contestant() {
  if (options.mode === 'none') return () => new Promise((resolve) => setTimeout(resolve, 1000))
  if (options.mode === 'better-sqlite3') return () => db.backup(`${options.path}.copy`)
  if (options.mode === 'backup by hand') return () => byHand(...stepsByHand().backup)
  if (options.mode === 'verify by hand') return () => byHand(...stepsByHand().verify)
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

/** What the scheduler knows of this thread: ms on a core, ms it waited for one. https://docs.kernel.org/scheduler/sched-stats.html */
function createScheduled() {
  const file = `/proc/self/task/${process.pid}/schedstat`
  if (!existsSync(file)) return () => [0, 0]
  const fd = openSync(file)
  const text = Buffer.alloc(100)
  return () =>
    text
      .toString('latin1', 0, readSync(fd, text, 0, text.length, 0))
      .split(' ')
      .map((ns) => Number(ns) / 1e6)
}

const work = await contestant()
const scheduled = createScheduled()
const delay = monitorEventLoopDelay({ resolution: 1 })
const latencies = []
const longest = { commit: 0, code: 0, queued: 0 }
/** How long the app's own TRUNCATE checkpoints took, and how large the log became. */
let checkpointMs = 0
let walBytes = 0
let failed = 0
let refused
let busy = true
const atMost = (what, ms) => {
  longest[what] = Math.max(longest[what], ms)
}

async function load() {
  let due = performance.now()
  let [coreBefore, queueBefore] = scheduled()
  while (busy) {
    due += 1000 / PER_SECOND
    const wait = due - performance.now()
    // Each transaction is an event of its own, like a request that has waited in its socket.
    await new Promise((resolve) => (wait > 0 ? setTimeout(resolve, wait) : setImmediate(resolve)))
    const began = performance.now()
    const [core, queue] = scheduled()
    // Since the last transaction: whatever else ran in this process, and for how long no core was free for it.
    atMost('code', core - coreBefore)
    n++
    try {
      transaction()
    } catch {
      failed++
    }
    const ended = performance.now()
    // What a user of this app feels: from when the request should have been served until it was.
    latencies.push(ended - Math.max(due, ended - 1000))
    atMost('commit', ended - began)
    if (options.truncateEvery && n % options.truncateEvery === 0) {
      walBytes = Math.max(walBytes, statSync(`${options.path}-wal`).size)
      const started = performance.now()
      db.pragma('wal_checkpoint(TRUNCATE)')
      checkpointMs = Math.max(checkpointMs, performance.now() - started)
    }
    const [coreAfter, queueAfter] = scheduled()
    atMost('queued', Math.max(queue - queueBefore, queueAfter - queue))
    coreBefore = coreAfter
    queueBefore = queueAfter
  }
}

const loading = load()
await new Promise((resolve) => setTimeout(resolve, 1000))
latencies.length = 0
failed = 0
checkpointMs = 0
walBytes = 0
for (const what of Object.keys(longest)) longest[what] = 0
delay.enable()
const [, queuedBefore] = scheduled()
const began = performance.now()
let runs = 0
do {
  await work()
  runs++
} while (performance.now() - began < options.forSeconds * 1000)
const seconds = (performance.now() - began) / 1000
const [, queuedAfter] = scheduled()
delay.disable()
busy = false
await loading
for (const suffix of ['.copy', '.copy.zst']) rmSync(options.path + suffix, { force: true })
latencies.sort((a, b) => a - b)
const at = (p) => latencies[Math.min(latencies.length - 1, Math.floor(p * latencies.length))]
console.log(
  JSON.stringify({
    seconds: seconds / runs,
    transactions: latencies.length,
    failed,
    p50: at(0.5),
    p99: at(0.99),
    max: latencies.at(-1),
    stall: delay.max / 1e6 - 1,
    ...longest,
    queuedPerSecond: (queuedAfter - queuedBefore) / seconds,
    refused,
    checkpointMs,
    walMB: walBytes / 1e6,
  }),
)
process.exit(0)
