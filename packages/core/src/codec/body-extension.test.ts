import { expect, it } from 'vitest'
import { bodyExtension, parseBodyExtension } from './body-extension.ts'

it('names each kind of body, and reads the name back', () => {
  const names = (['zst', 'gz', 'none'] as const).flatMap((compression) =>
    [false, true].map((encrypted) => {
      const name = bodyExtension(compression, encrypted)
      expect(parseBodyExtension(`20261120T030000.000Z-ab12${name}`)).toEqual({ compression, encrypted })
      return name
    }),
  )
  expect(names).toEqual(['.db.zst', '.db.zst.age', '.db.gz', '.db.gz.age', '.db', '.db.age'])
})

it('does not take another file for a body', () => {
  for (const name of ['app.sqlite', 'app.db-wal', 'app.zst', 'app.db.zst.gz', 'app.db.age.zst', 'db']) {
    expect(parseBodyExtension(name)).toBeUndefined()
  }
})
