import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assertKey } from '../storage/key.ts'
import { backupId } from './backup-id.ts'
import {
  bodyKey,
  catalogFolder,
  catalogKey,
  databaseFolder,
  parseBodyKey,
  parseCatalogKey,
  parseDatabaseFolder,
} from './keys.ts'
import { tiers } from './manifest.ts'
import { whyBadBackupName, whyBadDatabaseName } from './names.ts'
import { exampleManifest } from './testing/example-manifest.ts'

const moments = fc.date({
  min: new Date('1970-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
})
const words = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
const databases = words.filter((name) => whyBadDatabaseName(name) === undefined)
const names = fc.option(
  words.filter((name) => whyBadBackupName(name) === undefined),
  { nil: undefined },
)
const backups = fc
  .record({
    database: databases,
    created: moments,
    random: fc.uint8Array({ minLength: 5, maxLength: 5 }),
    tier: fc.constantFrom(...tiers),
    name: names,
    sizeBytes: fc.nat(Number.MAX_SAFE_INTEGER),
    compression: fc.constantFrom('zst' as const, 'gz' as const, 'none' as const),
    encrypted: fc.boolean(),
  })
  .map(({ created, random, ...rest }) => ({ ...rest, created, id: backupId(created, random) }))

test('keys are as docs/format.md says', () => {
  const created = new Date('2026-11-20T03:00:00.000Z')
  const id = backupId(created, Uint8Array.of(1, 2, 3, 4, 5))
  const facts = { database: 'app', tier: 'pre-migration' as const, created, id }
  expect(bodyKey({ ...facts, compression: 'zst', encrypted: true })).toBe(
    'app/backups/pre-migration/20261120T030000.000Z-aebagbaf.db.zst.age',
  )
  const manifest = { ...facts, created: created.toISOString(), name: 'before import', stored: { sizeBytes: 123 } }
  expect(catalogKey(manifest)).toBe(
    'app/catalog/2026/11/20/20261120T030000.000Z-aebagbaf-pre-migration-123-before~20import.json',
  )
})

test('the key of a body reads back', () => {
  fc.assert(
    fc.property(backups, ({ database, tier, created, id, compression, encrypted }) => {
      const parts = { database: database.normalize('NFC'), tier, created, id, compression, encrypted }
      expect(parseBodyKey(bodyKey(parts))).toEqual(parts)
    }),
  )
})

test('the key of a manifest reads back', () => {
  fc.assert(
    fc.property(backups, ({ database, tier, created, id, name, sizeBytes }) => {
      const key = catalogKey({
        database,
        tier,
        created: created.toISOString(),
        id,
        ...(name === undefined ? {} : { name }),
        stored: { sizeBytes },
      })
      expect(() => assertKey(key)).not.toThrow()
      expect(parseCatalogKey(key)).toEqual({
        id,
        database: database.normalize('NFC'),
        created,
        tier,
        ...(name === undefined ? {} : { name: name.normalize('NFC') }),
        storedSizeBytes: sizeBytes,
        key,
      })
    }),
  )
})

test('keys of one database sort like the time', () => {
  fc.assert(
    fc.property(backups, backups, (a, b) => {
      const keyOf = ({ created, id, tier, sizeBytes }: typeof a): string =>
        catalogKey({ database: 'app', created: created.toISOString(), id, tier, stored: { sizeBytes } })
      fc.pre(a.created.getTime() !== b.created.getTime())
      expect(keyOf(a) < keyOf(b)).toBe(a.created < b.created)
    }),
  )
})

test('no key of one database starts like the folder of another', () => {
  fc.assert(
    fc.property(backups, databases, (backup, other) => {
      fc.pre(backup.database.normalize('NFC') !== other.normalize('NFC'))
      const { created, sizeBytes, ...facts } = backup
      const { name, ...rest } = facts
      const key = catalogKey({
        ...rest,
        created: created.toISOString(),
        stored: { sizeBytes },
        ...(name === undefined ? {} : { name }),
      })
      expect(key.startsWith(databaseFolder(other))).toBe(false)
      expect(bodyKey({ ...rest, created }).startsWith(databaseFolder(other))).toBe(false)
    }),
  )
})

test('app and app2 have folders that are not the beginning of one another', () => {
  expect(catalogFolder('app2').startsWith(databaseFolder('app'))).toBe(false)
})

test('a folder tells its database', () => {
  expect(parseDatabaseFolder('tenants~2Facme/')).toBe('tenants/acme')
  expect(parseDatabaseFolder('node_modules/x/')).toBeUndefined()
  expect(parseDatabaseFolder('.sqlite-backup/')).toBeUndefined()
})

test.each([
  'app/catalog/2026/11/21/20261120T030000.000Z-aebagbaf-hourly-1.json',
  'app/catalog/2026/11/20/20261120T030000.000Z-aebagbaf-hurly-1.json',
  'app/catalog/2026/11/20/20261120T030000.000Z-aebagbaf-hourly-01.json',
  'app/catalog/2026/11/20/20261120T030000Z-aebagbaf-hourly-1.json',
  'app/catalog/2026/11/20/20261120T036000.000Z-aebagbaf-hourly-1.json',
  'app/catalog/2026/11/20/20261120T030000.000Z-aebagbaf-hourly-1.json.tmp',
  'app/catalog/2026/11/20/20261120T030000.000Z-aebagbaf-hourly-1-a b.json',
  'x/app/catalog/2026/11/20/20261120T030000.000Z-aebagbaf-hourly-1.json',
])('%s is not the key of a manifest', (key) => {
  expect(parseCatalogKey(key)).toBeUndefined()
})

test.each([
  'app/backups/hourly/20261120T030000.000Z-aebagbaf.db.lz4',
  'app/backups/hourly/20261120T030000.000Z-aebagbaf.zst',
  'app/backups/other/20261120T030000.000Z-aebagbaf.db',
  'app/backups/hourly/deep/20261120T030000.000Z-aebagbaf.db',
])('%s is not the key of a body', (key) => {
  expect(parseBodyKey(key)).toBeUndefined()
})

test('an id of another moment has no key', () => {
  const { body: _, ...manifest } = exampleManifest()
  expect(() => catalogKey({ ...manifest, created: '2026-11-21T00:00:00.000Z' })).toThrow(
    'is not the id of a backup made at',
  )
})
