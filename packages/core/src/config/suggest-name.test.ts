import { expect, test } from 'vitest'
import { suggestName } from './suggest-name.ts'

const known = ['databases', 'storages', 'require', 'compression', 'encryption', 'maxPin', 'maxBlock', 'retention', 'to']

test.each([
  ['retenion', 'retention'],
  ['databse', 'databases'],
  ['storage', 'storages'],
  ['compresion', 'compression'],
  ['encrpytion', 'encryption'],
  ['maxpin', 'maxPin'],
  ['MAXBLOCK', 'maxBlock'],
])('%s was meant to be %s', (name, meant) => {
  expect(suggestName(name, known)).toBe(meant)
})

test.each(['', 'x', 'ab', 'notify', 'somethingelse', '__proto__'])('%j is near nothing', (name) => {
  expect(suggestName(name, known)).toBeUndefined()
})

test('nothing is suggested from nothing', () => {
  expect(suggestName('a', [])).toBeUndefined()
})
