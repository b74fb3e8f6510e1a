import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { missingBinaries } from '@sqlite-backup/core/testing'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { addUsers, countUsers, makeDatabase, tempFolder } from './testing/make-database.ts'
import { keys, runCli, runInTerminal } from './testing/run-cli.ts'

const config = `export default { databases: { app: './app.db' }, storages: { local: './backups' } }`

describe.skipIf(missingBinaries('script').length > 0)('on a terminal', () => {
  it('shows bars with bytes and rate, in colour, and gives the cursor back', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'), { rows: 60, blobBytes: 1_000_000 })
    const terminal = runInTerminal(folder.path, ['backup', './app.db', '--to', './backups'])
    expect(await terminal.exited).toBe(0)
    const text = terminal.text()
    expect(stripVTControlCharacters(text)).toMatch(/app \w+.*█+ +100 % +\d.* MB/)
    expect(text).toContain('\u001b[32m')
    expect(text.lastIndexOf('\u001b[?25h')).toBeGreaterThan(text.lastIndexOf('\u001b[?25l'))
  })

  it('has no colours with NO_COLOR', async () => {
    using folder = tempFolder()
    const terminal = runInTerminal(folder.path, ['--help'], { env: { NO_COLOR: '1' } })
    await terminal.exited
    expect(terminal.text()).not.toContain('\u001b[')
  })

  it('asks before it changes a database: a yes restores it', async () => {
    using folder = await changedSinceBackup()
    const terminal = runInTerminal(folder.path, ['restore', 'latest'])
    await terminal.waitFor(/Restore .*app\.db/)
    terminal.send(keys.left)
    terminal.send(keys.enter)
    expect({ exitCode: await terminal.exited, rows: countUsers(folder.db) }).toEqual({ exitCode: 0, rows: 100 })
  })

  it('asks before it changes a database: Enter alone is a no', async () => {
    using folder = await changedSinceBackup()
    const terminal = runInTerminal(folder.path, ['restore', 'latest'])
    await terminal.waitFor(/Restore .*app\.db.*\?/)
    terminal.send(keys.enter)
    expect({ exitCode: await terminal.exited, rows: countUsers(folder.db) }).toEqual({ exitCode: 130, rows: 111 })
  })

  it('asks which backup when none is named', async () => {
    using folder = await changedSinceBackup()
    const terminal = runInTerminal(folder.path, ['restore', '-o', './picked.db'])
    await terminal.waitFor(/Which backup\?/)
    terminal.send(keys.down)
    terminal.send(keys.enter)
    expect({ exitCode: await terminal.exited, rows: countUsers(join(folder.path, 'picked.db')) }).toEqual({
      exitCode: 0,
      rows: 100,
    })
  })

  it('asks for a passphrase without showing it', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    writeFileSync(join(folder.path, 'passphrase'), 'correct horse\n')
    await runCli(folder.path, ['backup', './app.db', '--to', './backups', '--passphrase-file', 'passphrase'])
    const terminal = runInTerminal(folder.path, [
      'restore',
      'latest',
      '--from',
      './backups',
      '--db',
      'app',
      '-o',
      'r.db',
    ])
    await terminal.waitFor(/[Pp]assphrase/)
    terminal.send('correct horse')
    terminal.send(keys.enter)
    expect({ exitCode: await terminal.exited, rows: countUsers(join(folder.path, 'r.db')) }).toEqual({
      exitCode: 0,
      rows: 100,
    })
    expect(terminal.text()).not.toContain('horse')
  })

  it('stops cleanly on Ctrl+C: exit code 130, no backup that can be seen, and the next run works', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'), { rows: 150, blobBytes: 1_000_000 })
    const terminal = runInTerminal(folder.path, ['backup', './app.db', '--to', './backups'])
    await terminal.waitFor(/app \w+ .*%/)
    terminal.send(keys.ctrlC)
    expect(await terminal.exited).toBe(130)
    expect(terminal.text()).toContain('Interrupted.')
    expect((await runCli(folder.path, ['list', '--from', './backups', '--quiet'])).stdout).toBe('')
    expect((await runCli(folder.path, ['backup', './app.db', '--to', './backups'])).exitCode).toBe(0)
  })

  it('leaves a question with Ctrl+C and has changed nothing', async () => {
    using folder = await changedSinceBackup()
    const terminal = runInTerminal(folder.path, ['restore', 'latest'])
    await terminal.waitFor(/Restore .*app\.db.*\?/)
    terminal.send(keys.ctrlC)
    expect({ exitCode: await terminal.exited, rows: countUsers(folder.db) }).toEqual({ exitCode: 130, rows: 111 })
  })

  it('writes the config that was chosen with init', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const terminal = runInTerminal(folder.path, ['init'])
    await terminal.waitFor(/Which databases\?/)
    terminal.send(keys.enter)
    await terminal.waitFor(/Where should backups go\?/)
    terminal.send(keys.enter)
    await terminal.waitFor(/Write sqlite-backup\.config\.mts\?/)
    terminal.send(keys.enter)
    expect(await terminal.exited).toBe(0)
    expect(existsSync(join(folder.path, 'sqlite-backup.config.mts'))).toBe(true)
  })
})

/** A backup of 100 users; then the app made it 111. */
async function changedSinceBackup(): Promise<ReturnType<typeof tempFolder> & { readonly db: string }> {
  const folder = tempFolder()
  const db = join(folder.path, 'app.db')
  makeDatabase(db)
  writeFileSync(join(folder.path, 'sqlite-backup.config.mts'), config)
  await runCli(folder.path, ['backup'])
  const app = new Database(db)
  addUsers(app, 11)
  app.close()
  return { ...folder, db }
}
