import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isBackupError } from '../errors.ts'
import type { Manifest } from './manifest.ts'
import { parseManifest, serializeManifest } from './manifest-codec.ts'
import { exampleManifest } from './testing/example-manifest.ts'

const full: Manifest = {
  ...exampleManifest({ name: 'before import', environment: 'production', parent: '20261119T030000Z-aaaaaaaa' }),
  trigger: 'manual',
  actor: 'alice',
  job: 'nightly',
  appVersion: '1.2.3',
  beforeMigration: { pending: ['0007_add_plan'], sha256: 'c'.repeat(64), contentSha256: 'd'.repeat(64) },
}

function withField(path: string, value: unknown): string {
  const { manifestSha256: _, ...copy }: Record<string, unknown> = JSON.parse(serializeManifest(full))
  const keys = path.split('.')
  const last = keys.pop() ?? ''
  const target = keys.reduce<Record<string, unknown>>((at, key) => at[key] as Record<string, unknown>, copy)
  if (value === undefined) delete target[last]
  else target[last] = value
  return JSON.stringify(copy)
}

function problemOf(json: string): string {
  try {
    parseManifest(json, 'the-key')
  } catch (error) {
    if (isBackupError(error, 'MANIFEST_INVALID')) return error.message
    throw error
  }
  return 'none'
}

test('a manifest reads back as it was', () => {
  expect(parseManifest(serializeManifest(full))).toEqual(full)
  const encrypted: Manifest = {
    ...full,
    encryption: { method: 'age', recipients: ['age1abc'] },
    body: `${full.body}.age`,
  }
  expect(parseManifest(serializeManifest(encrypted))).toEqual(encrypted)
})

test('a flipped bit is seen, wherever it is; a manifest of an early version, which had no digest, is read', () => {
  const bytes = Buffer.from(serializeManifest(full))
  const name = bytes.indexOf('manifestSha256')
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const at = bit >> 3
    // One in the name of the field makes it a field that nobody knows: then all others are as they were.
    if (at >= name && at < name + 'manifestSha256'.length) continue
    const flipped = Buffer.from(bytes)
    flipped.writeUInt8(bytes.readUInt8(at) ^ (1 << (bit & 7)), at)
    expect(problemOf(flipped.toString())).not.toBe('none')
  }
  expect(parseManifest(`${JSON.stringify(full, null, 2)}\n`)).toEqual(full)
})

test('fields of later versions are ignored, at every depth', () => {
  expect(parseManifest(withField('replica', { txid: '00ff' }))).toEqual(full)
  expect(parseManifest(withField('source.walFrames', 12))).toEqual(full)
})

test('a later format is refused with a hint to update', () => {
  expect(() => parseManifest(withField('format', 2), 'the-key')).toThrow(
    expect.objectContaining({
      code: 'MANIFEST_INVALID',
      message: 'the-key is not valid: its format version is 2, and this version knows 1.',
      hint: expect.stringContaining('Update'),
    }),
  )
})

test.each([
  ['format', undefined, 'format is missing'],
  ['format', 0, 'there is no format version 0'],
  ['id', '../../x', 'id "../../x" is no id of a backup'],
  ['database', '', 'database should be text, not ""'],
  ['database', 'a\u0000b', 'is no name of a database'],
  ['created', '2026-11-20', 'created should be a time like 2026-11-20T03:00:00.000Z, not "2026-11-20"'],
  ['created', '2026-11-20T04:00:00.000Z', 'its id is not of the time it was created'],
  ['tier', 'weely', 'tier should be one of recent, hourly'],
  ['name', 'latest', 'name "latest" is not valid'],
  ['lineage', [], 'lineage should be an object, not []'],
  ['lineage.writer', undefined, 'lineage.writer is missing'],
  ['source.pageSize', 1000, 'source.pageSize 1000 is no page size of SQLite'],
  ['source.pageCount', 3, 'plain.sizeBytes is 8192, and 3 pages of 4096 are something else'],
  ['source.pageCount', -1, 'source.pageCount should be a whole number, not -1'],
  ['source.journalMode', 'delete', 'source.journalMode should be one of wal, rollback, not "delete"'],
  ['source.userVersion', 1.5, 'source.userVersion should be an integer, not 1.5'],
  ['body', 'app2/backups/hourly/20261120T030000.000Z-aaaaaaaa.db.zst', 'and should be app/backups/hourly/'],
  ['body', '../secret', 'body is "../secret" and should be'],
  ['plain.sha256', 'ABC', 'plain.sha256 should be 64 lower-case hex digits, not "ABC"'],
  ['stored.sizeBytes', '4', 'stored.sizeBytes should be a whole number, not "4"'],
  ['compression', 'lz4', 'compression should be one of zst, gz, none, not "lz4"'],
  ['compression', 'none', 'should be'],
  ['encryption', { method: 'age', recipients: 'passphrase' }, '.db.zst.age'],
  ['encryption', { method: 'rot13', recipients: [] }, 'encryption.method should be one of age'],
  ['engine.version', 1, 'engine.version should be text, not 1'],
])('%s = %j is refused by name', (path, value, problem) => {
  const message = problemOf(withField(path, value))
  expect(message).toContain('the-key is not valid: ')
  expect(message).toContain(problem)
})

test.each(['', '{', 'null', '[]', '"text"', '1'])('%j is not a manifest', (json) => {
  expect(problemOf(json)).toContain('the-key is not valid: ')
})

test('no JSON at all gets through, or out with another error', () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      expect(problemOf(json)).not.toBe('none')
    }),
  )
})

test('any field replaced by anything is either refused by name or understood', () => {
  const paths = Object.keys(full)
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
      expect(problemOf(withField(path, value))).toMatch(/^none$|^the-key is not valid: /)
    }),
  )
})
