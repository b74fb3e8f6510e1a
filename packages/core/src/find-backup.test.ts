import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { putExample } from './catalog/testing/example-manifest.ts'
import type { Config } from './config/config.ts'
import { openBackup } from './engine.ts'
import type { SqliteBackup } from './engine-api.ts'
import { faulty } from './storage/faulty.ts'
import { memory } from './storage/memory.ts'
import { bytesBody, type Storage } from './storage/storage.ts'

let dir: string
let path: string
let db: Database.Database
const opened: SqliteBackup[] = []

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'find-backup-'))
  path = join(dir, 'app.db')
  db = new Database(path)
  db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)')
})
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
  db.close()
  rmSync(dir, { recursive: true })
})

async function open(storages: NonNullable<Config['storages']>): Promise<SqliteBackup> {
  const engine = await openBackup({ databases: { app: path }, storages })
  opened.push(engine)
  return engine
}

async function backUpTo(storage: Storage): Promise<string> {
  const { id } = await (await open({ only: storage })).backup('app')
  if (id === undefined) throw new Error('No backup was made.')
  return id
}

const denied = (storage: Storage): Storage => faulty(storage, [{ on: 'list', times: 99, code: 'STORAGE_DENIED' }])

describe('with the older backup in one storage, and the newer one in another that does not answer', () => {
  const silence = 'newer did not answer (STORAGE_DENIED) and may hold a newer one.'
  let older: Storage
  let newer: Storage
  let id: string

  beforeEach(async () => {
    older = memory()
    newer = memory()
    id = await backUpTo(older)
    db.exec('INSERT INTO t VALUES (2)')
    await backUpTo(newer)
  })

  test.each(['latest', '2099-01-01'])(
    'the plan and the result of a restore of %s in place say so',
    async (reference) => {
      const engine = await open({ older, newer: denied(newer) })
      const plan = await engine.planRestore(reference)
      expect(plan).toMatchObject({ id, warnings: [silence] })
      expect(plan.notes).toContain(silence)
      const restored = await engine.restore(reference)
      expect(restored.id).toBe(id)
      expect(restored.warnings).toContain(silence)
    },
  )

  test('a newer one whose manifest is damaged is told too', async () => {
    const { objects } = await newer.list({ prefix: 'app/catalog/' })
    await newer.put(objects[0]?.key ?? '', bytesBody(Buffer.from('{')))
    const { notes } = await (await open({ older, newer })).planRestore('latest')
    expect(notes).toContain('The newest in newer could not be read (MANIFEST_INVALID), and may be newer than this one.')
  })

  test('nothing is said where an id names the one, or where the other storage has none', async () => {
    const output = join(dir, 'copy.db')
    const silent = await open({ older, newer: denied(newer) })
    expect((await silent.restore(id, { output })).warnings).toEqual([])
    const empty = await open({ older, newer: memory() })
    expect((await empty.restore('latest', { output, overwrite: true })).warnings).not.toContainEqual(
      expect.stringContaining('newer'),
    )
    expect((await empty.planRestore('latest')).warnings).toBeUndefined()
  })
})

describe('when the newest backup is dated in the future', () => {
  let disk: Storage
  let aheadId: string

  beforeEach(async () => {
    disk = memory()
    aheadId = (await putExample(disk, { created: new Date(Date.now() + 7_200_000) })).id
  })

  test('status and doctor say so, and it is not healthy', async () => {
    const engine = await open({ disk })
    const { healthy, databases } = await engine.status({ maxAgeMs: 60_000 })
    expect(healthy).toBe(false)
    const said = expect.stringContaining(`${aheadId}, is dated 2 hours in the future`)
    expect(databases[0]?.storages[0]?.problems).toEqual([said])
    expect(await engine.doctor()).toContainEqual(expect.objectContaining({ level: 'error', message: said }))
  })

  test('many backups later of somebody else, it is no fork', async () => {
    let parent = aheadId
    for (let minutes = 12; minutes > 0; minutes--) {
      const created = new Date(Date.now() - minutes * 60_000)
      parent = (await putExample(disk, { created, parent, writer: 'b' })).id
    }
    const { databases } = await (await open({ disk })).status()
    expect(databases[0]?.storages[0]).toMatchObject({ problems: [expect.stringContaining(aheadId)] })
    expect(databases[0]?.storages[0]).not.toHaveProperty('fork')
  })

  test('latest is what grew from it, and the plan says so', async () => {
    const { id } = await putExample(disk, { created: new Date(), parent: aheadId })
    const { id: planned, notes } = await (await open({ disk })).planRestore('latest')
    expect(planned).toBe(id)
    expect(notes).toContainEqual(expect.stringContaining(`${aheadId} is dated later`))
  })
})
