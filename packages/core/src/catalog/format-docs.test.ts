// docs/format.md is a promise: its recipe is run as it stands, and every field that is written is described.
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Compression } from '../codec/codec.ts'
import { env } from '../config/secret.ts'
import { openBackup } from '../engine.ts'
import { filesystem } from '../storage/filesystem.ts'
import { missingBinaries } from '../storage/testing/missing-binaries.ts'
import { type Manifest, tiers, triggers } from './manifest.ts'
import { exampleManifest } from './testing/example-manifest.ts'

const docs = readFileSync(join(import.meta.dirname, '../../../../docs/format.md'), 'utf8')
const recipe = /## By hand[\s\S]*?```sh\n([\s\S]*?)```/.exec(docs)?.[1] ?? ''

let dir: string

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'format-'))
})

afterAll(() => rmSync(dir, { recursive: true }))

describe.skipIf(missingBinaries('age', 'age-keygen', 'zstd', 'gunzip', 'sqlite3', 'sha256sum', 'bash').length > 0)(
  'the recipe of docs/format.md',
  () => {
    const formats: readonly Compression[] = ['zst', 'gz', 'none']
    test.each(formats.flatMap((format) => [false, true].map((encrypted) => ({ format, encrypted }))))(
      'restores a backup as $format, encrypted: $encrypted',
      async ({ format, encrypted }) => {
        const place = mkdtempSync(join(dir, 'it-'))
        const path = join(place, 'my app.db')
        const identity = join(place, 'identity.txt')
        execFileSync('age-keygen', ['-o', identity], { stdio: 'ignore' })
        const recipient = execFileSync('age-keygen', ['-y', identity], { encoding: 'utf8' }).trim()

        const db = new Database(path)
        db.pragma('journal_mode = WAL')
        db.exec('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)')
        const insert = db.prepare('INSERT INTO notes (text) VALUES (?)')
        const storage = join(place, 'storage')
        await using engine = await openBackup({
          databases: { 'my app': path },
          storages: { disk: filesystem({ dir: storage }) },
          compression: { format },
          ...(encrypted
            ? { encryption: { recipients: [recipient], identities: env('NONE', { optional: true }) } }
            : {}),
        })
        insert.run('first')
        await engine.backup()
        insert.run('second')
        await engine.backup()
        db.close()

        const output = join(place, 'restored.db')
        const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', recipe], {
          env: { ...process.env, STORAGE: storage, DB: 'my~20app', IDENTITY: identity, OUTPUT: output },
        })
        expect(stdout.split('\n').filter((line) => /: OK$|^ok$/.test(line))).toHaveLength(3)
        const restored = new Database(output, { readonly: true })
        expect(restored.prepare('SELECT text FROM notes ORDER BY id').pluck().all()).toEqual(['first', 'second'])
        restored.close()
      },
    )

    test('stops at a body that is not what was stored', async () => {
      const place = mkdtempSync(join(dir, 'it-'))
      const storage = join(place, 'storage')
      const path = join(place, 'app.db')
      const db = new Database(path)
      db.exec('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)')
      await using engine = await openBackup({
        databases: { app: path },
        storages: { disk: filesystem({ dir: storage }) },
      })
      const { manifest } = await engine.backup()
      db.close()
      const body = join(storage, manifest?.body ?? '')
      const bytes = readFileSync(body)
      bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100)
      writeFileSync(body, bytes)
      const run = promisify(execFile)('bash', ['-euo', 'pipefail', '-c', recipe], {
        env: { ...process.env, STORAGE: storage, DB: 'app', IDENTITY: '', OUTPUT: join(place, 'restored.db') },
      })
      await expect(run).rejects.toMatchObject({ stdout: expect.stringContaining('FAILED') })
    })
  },
)

/** `a`, `b.c`: every field that has a value of its own. */
function fieldsOf(value: object, path = ''): readonly string[] {
  return Object.entries(value).flatMap(([key, child]: [string, unknown]) => {
    const full = path === '' ? key : `${path}.${key}`
    return typeof child === 'object' && child !== null && !Array.isArray(child) ? fieldsOf(child, full) : [full]
  })
}

test('every field of a manifest is described, and every tier and trigger', () => {
  const full: Required<Manifest> = {
    ...exampleManifest({ environment: 'production', parent: '20261119T030000Z-aaaaaaaa' }),
    name: 'x',
    actor: 'x',
    job: 'x',
    appVersion: 'x',
    encryption: { method: 'age', recipients: [] },
    beforeMigration: { pending: ['x'], sha256: 'a'.repeat(64), contentSha256: 'b'.repeat(64) },
  }
  const described = docs.slice(docs.indexOf('## The manifest'), docs.indexOf('## The body'))
  const fields = [...fieldsOf(full), 'source.schemaHash', 'source.migration']
  expect(
    fields.filter(
      (field) => !described.split('\n').some((line) => line.startsWith('| `') && line.includes(`\`${field}\``)),
    ),
  ).toEqual([])
  expect([...tiers, ...triggers].filter((word) => !docs.includes(`\`${word}\``))).toEqual([])
})
