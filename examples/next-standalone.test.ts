// As somebody would who copies it: out of this repository, the packages packed, installed with npm, built, run standalone.
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openExample } from './example.ts'
import { survivesTheWorstDay } from './worst-day.ts'

const password = 'correct-horse-battery'
const root = mkdtempSync(join(tmpdir(), 'next-'))
const dir = join(root, 'shop')

async function run(command: string, args: readonly string[], cwd = dir): Promise<string> {
  const PATH = `${dirname(process.execPath)}:${process.env.PATH}`
  const env = { ...process.env, PATH, NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: undefined }
  return (await promisify(execFile)(command, args, { cwd, env, maxBuffer: 64 * 1024 * 1024 })).stdout
}

beforeAll(async () => {
  const source = join(import.meta.dirname, 'next-standalone')
  const made = ['node_modules', '.next', 'data', 'backups'].map((name) => join(source, name))
  cpSync(source, dir, { recursive: true, filter: (file) => !made.includes(file) })
  const tarballs = join(root, 'tarballs')
  mkdirSync(tarballs)
  for (const name of ['core', 'admin', 'cli', 'drizzle']) {
    const from = resolve(import.meta.dirname, '../packages', name)
    await run('npx', ['-y', 'pnpm@10.34.9', 'pack', '--pack-destination', tarballs], from)
  }
  const files = readdirSync(tarballs).map((file) => join(tarballs, file))
  await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error', ...files])
  await run('npm', ['run', 'build'])
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const example = openExample('next-standalone', { dir, env: { ADMIN_PASSWORD: password } })
afterAll(() => example.remove())

test('next-standalone comes back from kill -9 and from a lost disk', async () => {
  await survivesTheWorstDay(example)
})

test('its page and the admin answer', async () => {
  const app = await example.start()
  expect(await (await fetch(app.url)).text()).toContain('<li>salt</li>')
  expect((await fetch(`${app.url}/admin/backups`)).status).toBe(401)
  const headers = { authorization: `Basic ${btoa(`ann:${password}`)}` }
  const overview = await (await fetch(`${app.url}/admin/backups/api/overview`, { headers })).json()
  expect(overview).toMatchObject({ database: 'shop', storages: [{ storage: 'offsite', healthy: true }] })
  await app.end('SIGTERM')
})

test('ends when it cannot be restored, instead of starting without its data', async () => {
  const broken = openExample('next-standalone', { dir, env: { SQLITE_BACKUP_RESTORE: 'not-a-backup' } })
  await expect(broken.start()).rejects.toThrow(/The app ended:\s[\s\S]*BACKUP_NOT_FOUND/)
  broken.remove()
})
