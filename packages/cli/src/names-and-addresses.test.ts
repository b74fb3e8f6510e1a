import { describe, expect, it } from 'vitest'
import { isAddress, isDatabaseFile, nameStorages } from './names-and-addresses.ts'

describe('isAddress', () => {
  it.each(['./backups', '/mnt/backups', '../x', '~/backups', '.', 's3://bucket/prefix', 'file:///mnt', 'a/b'])(
    'takes %s for an address',
    (storage) => {
      expect(isAddress(storage)).toBe(true)
    },
  )

  it.each(['offsite', 'local-2', 'S3_main'])('takes %s for a name', (storage) => {
    expect(isAddress(storage)).toBe(false)
  })
})

describe('isDatabaseFile', () => {
  it.each(['./app.db', 'app.db', 'data/app', '/data/x', 'file:./app.db', 'app.sqlite3'])(
    'takes %s for a file',
    (it) => {
      expect(isDatabaseFile(it)).toBe(true)
    },
  )

  it.each(['app', 'my-app', 'app.prod'])('takes %s for a name', (it) => {
    expect(isDatabaseFile(it)).toBe(false)
  })
})

it('takes what only has a slash for a file where there is one, and else for a name', () => {
  expect(isDatabaseFile('tenants/acme', () => false)).toBe(false)
  expect(isDatabaseFile('tenants/acme', () => true)).toBe(true)
  expect(isDatabaseFile('./tenants/acme', () => false)).toBe(true)
  expect(isDatabaseFile('tenants/acme.db', () => false)).toBe(true)
})

describe('nameStorages', () => {
  it('gives each address a name of its own that a config takes', () => {
    expect(nameStorages(['./backups', '/mnt/backups', 's3://acme-backups/app', 's3://b.c/x?region=y', '/'])).toEqual({
      backups: './backups',
      'backups-2': '/mnt/backups',
      'acme-backups': 's3://acme-backups/app',
      'b-c': 's3://b.c/x?region=y',
      storage: '/',
    })
  })
})
