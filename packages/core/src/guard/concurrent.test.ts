import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import { openBackup } from '../engine.ts'
import { memory } from '../storage/memory.ts'
import type { MigrationRolledBackError } from './migration-rolled-back.ts'

test.each(['wal', 'delete'] as const)(
  'what another process writes during a migration and its roll-back is in the database or in the safety copy (%s)',
  async (mode) => {
    const dir = mkdtempSync(join(tmpdir(), 'guard-writer-'))
    const path = join(dir, 'app.db')
    const db = new Database(path, { timeout: 20_000 })
    onTestFinished(() => {
      db.close()
      rmSync(dir, { recursive: true, force: true })
    })
    db.pragma(`journal_mode = ${mode}`)
    db.exec('CREATE TABLE log(n INTEGER); CREATE TABLE posts(id); INSERT INTO posts VALUES (1), (2), (3)')
    await using engine = await openBackup({ databases: { app: path }, storages: { disk: memory() } })

    const writer = fork(join(import.meta.dirname, 'testing/writer.ts'), [path], { execArgv: [] })
    onTestFinished(() => {
      writer.kill('SIGKILL')
    })
    await once(writer, 'message')
    const error: MigrationRolledBackError = await engine
      .guard('app', async () => {
        db.exec('DELETE FROM posts')
        await delay(200)
      })
      .then(
        () => expect.fail('It was kept.'),
        (thrown) => thrown,
      )
    expect(error).toMatchObject({ code: 'MIGRATION_ROLLED_BACK', lost: [{ table: 'posts', before: 3, after: 0 }] })
    await delay(100)
    writer.send('stop')
    const [{ count }] = await once(writer, 'message')

    const copy = join(dir, 'copy.db')
    await engine.restore(error.safetyBackup ?? '', { output: copy })
    const aside = new Database(copy, { readonly: true })
    const numbers = (from: Database.Database): unknown[] => from.prepare('SELECT n FROM log').pluck().all()
    const all = new Set([...numbers(db), ...numbers(aside)])
    aside.close()
    expect(all.size).toBe(count)
    expect(db.prepare('SELECT count(*) FROM posts').pluck().get()).toBe(3)
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
  },
)
