import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openBackup } from './engine.ts'
import type { SqliteBackup } from './engine-api.ts'
import { memory } from './storage/memory.ts'

const dir = mkdtempSync(join(tmpdir(), 'sqlite-backup-page-sizes-'))
let backup: SqliteBackup

/** Every page size SQLite has: https://sqlite.org/fileformat2.html#page_size */
const sizes = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]
const cases = sizes.flatMap((pageSize) =>
  (['wal', 'delete'] as const).map((mode) => ({ pageSize, mode, name: `${mode}-${pageSize}` })),
)

beforeAll(async () => {
  const databases = Object.fromEntries(cases.map(({ name }) => [name, join(dir, `${name}.db`)]))
  backup = await openBackup({ databases, storages: { disk: memory() } })
})
afterAll(async () => {
  await backup.close()
  rmSync(dir, { recursive: true, force: true })
})

/** Small and large rows, overflow pages, an index, and pages on the freelist; part of it in the log still. */
function fill(database: Database.Database): void {
  database.exec('CREATE TABLE item (id INTEGER PRIMARY KEY, note TEXT, body BLOB); CREATE INDEX by_note ON item (note)')
  const insert = database.prepare('INSERT INTO item (note, body) VALUES (?, ?)')
  const fillUp = database.transaction(() => {
    for (let i = 0; i < 400; i++) insert.run(`note ${i % 37}`, Buffer.alloc((i * 613) % 9000, i))
  })
  fillUp()
  database.pragma('wal_checkpoint(PASSIVE)')
  database.exec("DELETE FROM item WHERE id % 7 = 0; UPDATE item SET note = 'changed' WHERE id % 5 = 0")
}

function contentOf(database: Database.Database): unknown {
  expect(database.pragma('integrity_check', { simple: true })).toBe('ok')
  return database.prepare('SELECT id, note, hex(body) AS body FROM item ORDER BY id').all()
}

test.each(cases)(
  'pages of $pageSize bytes in mode $mode: backed up live, restored to a new file and into the running app',
  async ({ pageSize, mode, name }) => {
    const app = new Database(join(dir, `${name}.db`))
    app.pragma(`page_size = ${pageSize}`)
    app.pragma(`journal_mode = ${mode}`)
    fill(app)
    const before = contentOf(app)
    const { id, manifest } = await backup.backup(name)
    expect(manifest?.source).toMatchObject({ pageSize, journalMode: mode === 'wal' ? 'wal' : 'rollback' })

    const output = join(dir, `${name}-copy.db`)
    await backup.restore(id, { database: name, output })
    const copy = new Database(output, { readonly: true })
    expect(copy.pragma('page_size', { simple: true })).toBe(pageSize)
    expect(contentOf(copy)).toEqual(before)
    copy.close()

    app.exec("DELETE FROM item WHERE id % 2 = 0; INSERT INTO item (note) VALUES ('later')")
    expect(await backup.restore(id, { database: name })).toMatchObject({ how: 'online' })
    expect(contentOf(app)).toEqual(before)
    app.close()
  },
)
