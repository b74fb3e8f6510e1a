// What a guarded migration costs: its time and how long writers wait, against the migration alone.
//   node guard.mjs [megabytes] [rounds] [wal|delete]
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { filesystem, openBackup } from '@sqlite-backup/core'
import Database from 'better-sqlite3'
import { database, dataDir } from './generate.mjs'
import { median, table } from './table.mjs'

const megabytes = Number(process.argv[2] ?? 500)
const rounds = Number(process.argv[3] ?? 3)
const modes = process.argv[4] === undefined ? ['wal', 'delete'] : [process.argv[4]]

/** Another connection of the app, on a thread of its own: one small transaction after the other; says the longest wait. */
const WRITER = `
  const { parentPort, workerData } = require('node:worker_threads')
  const Database = require('better-sqlite3')
  const db = new Database(workerData, { timeout: 120_000 })
  db.pragma('synchronous = NORMAL')
  const insert = db.prepare('INSERT INTO ticks(at) VALUES (?)')
  let longest = 0
  let isStopped = false
  parentPort.on('message', (word) => {
    if (word === 'reset') longest = 0
    if (word === 'stop') isStopped = true
    if (word === 'longest') parentPort.postMessage(longest)
  })
  const write = () => {
    const began = performance.now()
    insert.run(began)
    longest = Math.max(longest, performance.now() - began)
    if (!isStopped) return setTimeout(write, 2)
    db.close()
    parentPort.close()
  }
  write()
  parentPort.postMessage('writing')`

// A column and an index over every order; and every other order gone.
const good = "ALTER TABLE users ADD plan TEXT DEFAULT 'free'; CREATE INDEX orders_status ON orders(status)"
const lossy = 'DELETE FROM orders WHERE id % 2'

async function run(mode, sql, isGuarded) {
  const original = database(megabytes, { journalMode: mode })
  const dir = mkdtempSync(join(dataDir, 'guard-'))
  const path = join(dir, 'app.db')
  copyFileSync(original, path)
  const db = new Database(path, { timeout: 120_000 })
  db.exec('CREATE TABLE IF NOT EXISTS ticks(at REAL)')
  const backup = await openBackup({
    databases: { app: path },
    storages: { disk: filesystem({ dir: join(dir, 'storage') }) },
    log: false,
  })
  const writer = new Worker(WRITER, { eval: true, workerData: path })
  const heard = () => new Promise((resolve) => writer.once('message', resolve))
  try {
    await heard()
    await delay(200)
    writer.postMessage('reset')
    const migrate = () => db.transaction(() => db.exec(sql))()
    const began = performance.now()
    if (isGuarded) {
      await backup.guard('app', migrate).catch((error) => {
        if (sql !== lossy || error.code !== 'MIGRATION_ROLLED_BACK') throw error
      })
    } else migrate()
    const seconds = (performance.now() - began) / 1000
    await delay(50)
    writer.postMessage('longest')
    return { seconds, pause: (await heard()) / 1000 }
  } finally {
    const gone = new Promise((resolve) => writer.once('exit', resolve))
    writer.postMessage('stop')
    await gone
    db.close()
    await backup.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

const rows = []
for (const mode of modes) {
  for (const [what, sql] of [
    ['kept', good],
    ['rolled back', lossy],
  ]) {
    const results = []
    for (let round = 0; round < rounds; round++) {
      results.push({ alone: await run(mode, sql, false), guarded: await run(mode, sql, true) })
    }
    const of = (pick) => median(results.map(pick))
    const alone = of(({ alone }) => alone.seconds)
    const guarded = of(({ guarded }) => guarded.seconds)
    rows.push({
      'journal mode': mode,
      'the migration is': what,
      'alone, s': alone,
      'guarded, s': guarded,
      ratio: guarded / alone,
      'longest wait of a writer alone, s': of(({ alone }) => alone.pause),
      'guarded, s ': of(({ guarded }) => guarded.pause),
    })
  }
}
table(`A migration of ${megabytes} MB under guard, while another connection writes`, rows)
