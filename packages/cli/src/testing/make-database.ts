import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'

/** An empty folder that goes away with the test: `using folder = tempFolder()`. */
export function tempFolder(): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'sqlite-backup cli-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

export interface DatabaseOptions {
  /** @default 100 */
  readonly rows?: number
  /** Random bytes per row, which do not compress. @default 0 */
  readonly blobBytes?: number
}

/** A real database in WAL mode with a table `users`, written by better-sqlite3 and closed. */
export function makeDatabase(path: string, { rows = 100, blobBytes = 0 }: DatabaseOptions = {}): void {
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, photo BLOB)')
  addUsers(db, rows, blobBytes)
  db.close()
}

export function addUsers(db: Database.Database, rows: number, blobBytes = 0): void {
  const insert = db.prepare('INSERT INTO users (name, photo) VALUES (?, ?)')
  const insertAll = db.transaction(() => {
    for (let i = 0; i < rows; i++) insert.run(`user ${i}`, randomBytes(blobBytes))
  })
  insertAll()
}

/** Rows in `users`, after SQLite's own integrity check. */
export function countUsers(path: string): number {
  const db = new Database(path, { readonly: true, fileMustExist: true })
  try {
    const integrity = db.pragma('integrity_check', { simple: true })
    if (integrity !== 'ok') throw new Error(`integrity_check says: ${integrity}`)
    return db.prepare<[], { readonly count: number }>('SELECT count(*) AS count FROM users').get()?.count ?? -1
  } finally {
    db.close()
  }
}
