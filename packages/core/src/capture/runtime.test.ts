import { expect, test } from 'vitest'
import { runtimeProblem, sqliteVersion } from './runtime.ts'

test('this Node has a SQLite without the WAL-reset bug', () => {
  expect(runtimeProblem('linux', sqliteVersion())).toBeUndefined()
})

test.each(['3.51.2', '3.50.99', '3.7.0', '2.8.17'])('SQLite %s is too old', (version) => {
  expect(runtimeProblem('linux', version)).toMatchObject({
    code: 'SQLITE_TOO_OLD',
    hint: expect.stringContaining('Node'),
  })
})

test.each(['3.51.3', '3.53.4', '3.100.0', '4.0.0'])('SQLite %s will do', (version) => {
  expect(runtimeProblem('darwin', version)).toBeUndefined()
})

test('Windows is refused', () => {
  expect(runtimeProblem('win32', '3.53.4')).toMatchObject({ code: 'UNSUPPORTED_PLATFORM', hint: expect.any(String) })
})
