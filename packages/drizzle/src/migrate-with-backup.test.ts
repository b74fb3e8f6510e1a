import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MigrationRolledBackError } from '@sqlite-backup/core'
import { describe, expect, test } from 'vitest'
import { drivers } from './testing/drivers.ts'
import { makeApp, makeProject, rebuildUsers } from './testing/project.ts'

const posts = 'SELECT count(*) FROM posts'
const applied = 'SELECT count(*) FROM __drizzle_migrations'

async function rolledBack(run: Promise<unknown>): Promise<MigrationRolledBackError> {
  const error = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(MigrationRolledBackError)
  return error as MigrationRolledBackError
}

describe.each(drivers)('$name', (driver) => {
  test('nothing pending makes no backup; one pending makes one, and is named', async () => {
    const project = makeProject(driver.layout)
    const { connection, backup } = await makeApp(driver, project)
    const onWarning = (): void => {}
    expect(await connection.guarded(project.folder, { backup, onWarning })).toMatchObject({
      outcome: 'nothing-pending',
    })
    expect((await backup.list('app')).items).toEqual([])

    const tag = project.add('plan', "ALTER TABLE `users` ADD `plan` text DEFAULT 'free';")
    const result = await connection.guarded(project.folder, { backup, onWarning })
    expect(result).toMatchObject({ outcome: 'kept', applied: [tag], warnings: [], isBackupReused: false })
    expect(await connection.value("SELECT count(*) FROM users WHERE plan = 'free'")).toBe(2)

    const { manifest } = await backup.show(`before-migration:${tag}`)
    expect(manifest).toMatchObject({ id: result.backupId, tier: 'pre-migration', beforeMigration: { pending: [tag] } })
    const init = tag.replace(/^\d+_plan$/, driver.layout === 'journal' ? '0000_init' : '20260101000000_init')
    expect(manifest.source.migration).toBe(init)
    // Every later backup says how far it was migrated.
    expect((await backup.backup('app')).manifest?.source.migration).toBe(tag)
  })

  test('an error is rolled back, and the connection sees the old rows', async () => {
    const project = makeProject(driver.layout)
    const { connection, backup } = await makeApp(driver, project)
    const tag = project.add('broken', 'DELETE FROM posts WHERE id = 1;', 'INSERT INTO nowhere VALUES (1);')
    const error = await rolledBack(connection.guarded(project.folder, { backup, onWarning() {} }))
    expect(error).toMatchObject({ pending: [tag], lost: [], cause: expect.anything() })
    expect(error.reasons.join()).toMatch(/It failed: /)
    expect([await connection.value(posts), await connection.value(applied)]).toEqual([3, 1])
    // A crash loop: the same again, on the same content.
    const again = await rolledBack(connection.guarded(project.folder, { backup, onWarning() {} }))
    const tiers = (await backup.list('app')).items.map(({ tier }) => tier)
    expect([again.backupId, tiers]).toEqual([error.backupId, ['pre-migration']])
    await connection.exec("INSERT INTO posts VALUES (4, 2, 'p4')")
    expect(await connection.value(posts)).toBe(4)
  })

  test('an allowed loss is kept: by option, or by a line in the migration', async () => {
    const project = makeProject(driver.layout)
    const { connection, backup } = await makeApp(driver, project)
    project.add('fewer', 'DELETE FROM posts WHERE id = 1;')
    await rolledBack(connection.guarded(project.folder, { backup, onWarning() {} }))
    const options = { backup, allowLoss: ['posts'], onWarning() {} }
    expect((await connection.guarded(project.folder, options)).warnings).toContain(
      'As allowed: posts lost 1 of 3 rows.',
    )
    project.add('none', '-- sqlite-backup: allow-loss posts\nDROP TABLE posts;')
    expect((await connection.guarded(project.folder, { backup, onWarning() {} })).warnings).toEqual([
      expect.stringContaining('The table goes, with every row in it.'),
      'As allowed: posts lost all of its 2 rows.',
    ])
  })
})

describe.each(drivers.filter(({ layout }) => layout === 'journal'))('$name, interrupted', (driver) => {
  test('a loss that the file allows since counts, though it was pending to nobody when the next start began', async () => {
    const project = makeProject(driver.layout)
    const { connection, backup } = await makeApp(driver, project)
    const tag = project.add('fewer', 'DELETE FROM posts;')
    const stop = new AbortController()
    // It is told what the migration does right before it runs: that runs, and cannot be looked at any more.
    const interrupted = connection.guarded(project.folder, {
      backup,
      signal: stop.signal,
      onWarning: () => stop.abort(),
    })
    await expect(interrupted).rejects.toMatchObject({ code: 'MIGRATION_INTERRUPTED' })
    expect(await connection.value(posts)).toBe(0)

    const file = join(project.folder, `${tag}.sql`)
    await writeFile(file, `-- sqlite-backup: allow-loss posts\n${await readFile(file, 'utf8')}`)
    const { outcome, warnings } = await connection.guarded(project.folder, { backup, onWarning() {} })
    expect(outcome).toBe('kept')
    expect(warnings.join('\n')).toMatch(/is rolled back to.*As allowed: posts lost all of its 3 rows\./s)
  })
})

describe.each(drivers.filter(({ cascades }) => cascades))('$name, where a rebuilt table empties others', (driver) => {
  test('a rebuilt table that empties another is noticed and rolled back', async () => {
    const project = makeProject(driver.layout)
    const { connection, backup } = await makeApp(driver, project)
    const tag = project.add('default', ...rebuildUsers)
    const warnings: string[] = []
    const error = await rolledBack(
      connection.guarded(project.folder, { backup, onWarning: (text) => warnings.push(text) }),
    )
    expect(error).toMatchObject({ pending: [tag], lost: [{ table: 'posts', before: 3, after: 0 }], isRestored: true })
    expect([await connection.value(posts), await connection.value(applied)]).toEqual([3, 1])
    expect(await connection.value("SELECT sql FROM sqlite_master WHERE name = 'users'")).toContain("DEFAULT 'a'")
    const again = await rolledBack(connection.guarded(project.folder, { backup, onWarning() {} }))
    expect([again.backupId, await connection.value(posts)]).toEqual([error.backupId, 3])
    expect(warnings.join('\n')).toMatch(/default.*PRAGMA foreign_keys=OFF — SQLite ignores it/)
    expect(warnings.join('\n')).toMatch(
      /DROP TABLE `users` — The table is rebuilt .* posts refers to it ON DELETE CASCADE/,
    )
  })

  test('with foreign keys disarmed the rows stay, and the connection has them on again', async () => {
    const project = makeProject(driver.layout)
    const { connection, backup } = await makeApp(driver, project)
    const tag = project.add('default', ...rebuildUsers)
    const result = await connection.guarded(project.folder, { backup, disarmForeignKeys: true, onWarning() {} })
    expect(result).toMatchObject({ applied: [tag] })
    expect([await connection.value(posts), await connection.value('PRAGMA foreign_keys')]).toEqual([3, 1])
    expect(await connection.value("SELECT sql FROM sqlite_master WHERE name = 'users'")).toContain("DEFAULT 'b'")
  })
})

describe.each(drivers.filter(({ cascades }) => !cascades))(
  '$name, where foreign keys are off while it migrates',
  (driver) => {
    test('a rebuilt table empties no other, and is kept', async () => {
      const project = makeProject(driver.layout)
      const { connection, backup } = await makeApp(driver, project)
      const tag = project.add('default', ...rebuildUsers)
      const warnings: string[] = []
      for (const disarmForeignKeys of [false, true]) {
        const result = await connection.guarded(project.folder, {
          backup,
          disarmForeignKeys,
          onWarning: (text) => warnings.push(text),
        })
        if (!disarmForeignKeys) expect(result.applied).toEqual([tag])
      }
      expect(await connection.value(posts)).toBe(3)
      expect(warnings.join()).not.toContain('PRAGMA')
    })
  },
)
