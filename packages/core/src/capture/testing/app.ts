// A writer in a process of its own, with its own copy of SQLite: what the capture process has to live with.
import { createRequire } from 'node:module'
import type Database from 'better-sqlite3'

export interface AppOptions {
  readonly path: string
  readonly driver?: 'better-sqlite3' | 'libsql'
  readonly journalMode?: string
  readonly lockingMode?: string
  readonly synchronous?: string
  readonly pageSize?: number
  readonly busyTimeoutMs?: number
  readonly accounts?: number
  /** Pause after each transaction. Without it: as fast as it can. */
  readonly gapMs?: number
  /** Every so many transactions a checkpoint of this kind. */
  readonly checkpoint?: { readonly mode: 'PASSIVE' | 'RESTART' | 'TRUNCATE'; readonly every: number }
  readonly vacuumEvery?: number
  /** Opens, fills and then waits, without writing. */
  readonly isIdle?: boolean
}

export interface AppReport {
  readonly transactions: number
  readonly checkpoints: number
  readonly busyCheckpoints: number
  readonly vacuums: number
  readonly errors: Readonly<Record<string, number>>
  readonly longestMs: number
  readonly longestCheckpointMs: number
}

// Money only moves, so the sum never changes; each transaction counts itself and writes one row with its number.
const accountBalance = 1000

const options = JSON.parse(process.argv[2] ?? '{}') as AppOptions
const Driver = createRequire(import.meta.url)(options.driver ?? 'better-sqlite3') as typeof Database
const { accounts = 200, gapMs, checkpoint } = options
const database = new Driver(options.path, { timeout: options.busyTimeoutMs ?? 5000 })
if (options.pageSize !== undefined) database.pragma(`page_size = ${options.pageSize}`)
if (options.lockingMode !== undefined) database.pragma(`locking_mode = ${options.lockingMode}`)
database.pragma(`journal_mode = ${options.journalMode ?? 'WAL'}`)
database.pragma(`synchronous = ${options.synchronous ?? 'NORMAL'}`)

database.exec(`
  CREATE TABLE IF NOT EXISTS account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, note TEXT);
  CREATE TABLE IF NOT EXISTS counter(n INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS ledger(n INTEGER PRIMARY KEY, src INTEGER, dst INTEGER, amount INTEGER, memo BLOB);
`)
database.transaction(() => {
  if (database.prepare('SELECT 1 FROM counter').get() !== undefined) return
  database.exec('INSERT INTO counter VALUES (0)')
  const open = database.prepare('INSERT INTO account(balance, note) VALUES (?, ?)')
  for (let i = 0; i < accounts; i++) open.run(accountBalance, 'x'.repeat(300))
})()

const count = database.prepare('UPDATE counter SET n = n + 1')
const current = database.prepare('SELECT n FROM counter')
const move = database.prepare('UPDATE account SET balance = balance + ?, note = ? WHERE id = ?')
const log = database.prepare('INSERT INTO ledger VALUES (?, ?, ?, ?, ?)')
const forget = database.prepare('DELETE FROM ledger WHERE n <= ?')
let seed = process.pid
const random = (below: number): number => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return Math.floor((seed / 2 ** 32) * below)
}
const transfer = database.transaction(() => {
  count.run()
  const { n } = current.get() as { n: number }
  const [src, dst, amount] = [1 + random(accounts), 1 + random(accounts), random(50)]
  move.run(-amount, 'y'.repeat(random(600)), src)
  move.run(amount, 'z'.repeat(random(600)), dst)
  log.run(n, src, dst, amount, Buffer.alloc(random(3) === 0 ? random(9000) : 40, n & 0xff))
  if (n % 5000 === 0) forget.run(n - 2500)
})

const report = { transactions: 0, checkpoints: 0, busyCheckpoints: 0, vacuums: 0, longestMs: 0, longestCheckpointMs: 0 }
const errors: Record<string, number> = {}
let isStopping = false
process.on('message', () => {
  isStopping = true
})
process.on('disconnect', () => process.exit(1))

const timed = (run: () => void): number => {
  const began = performance.now()
  try {
    run()
  } catch (error) {
    const name = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    errors[name] = (errors[name] ?? 0) + 1
  }
  return performance.now() - began
}

function writeOnce(): void {
  report.longestMs = Math.max(
    report.longestMs,
    timed(() => transfer()),
  )
  report.transactions += 1
  const n = report.transactions
  if (options.vacuumEvery !== undefined && n % options.vacuumEvery === 0) {
    timed(() => database.exec('VACUUM'))
    report.vacuums += 1
  }
  if (checkpoint !== undefined && n % checkpoint.every === 0) {
    const took = timed(() => {
      const [row] = database.pragma(`wal_checkpoint(${checkpoint.mode})`) as { busy: number }[]
      if (row?.busy) report.busyCheckpoints += 1
    })
    report.longestCheckpointMs = Math.max(report.longestCheckpointMs, took)
    report.checkpoints += 1
  }
}

function loop(): void {
  if (isStopping) {
    database.close()
    process.send?.({ report: { ...report, errors } satisfies AppReport }, () => process.exit(0))
    return
  }
  if (options.isIdle) return void setTimeout(loop, 20)
  if (gapMs === undefined) for (const end = performance.now() + 20; performance.now() < end; ) writeOnce()
  else writeOnce()
  if (gapMs === undefined) setImmediate(loop)
  else setTimeout(loop, gapMs)
}

process.send?.({ ready: true })
loop()
