import { expect, test } from 'vitest'
import { shouldBoot } from './should-boot.ts'

const app = { isMainThread: true, pid: 42, main: '/app/server.js', bootedPid: undefined }

test('an app boots, also one without a file, and one that replaced itself', () => {
  expect(shouldBoot(app)).toBe(true)
  expect(shouldBoot({ ...app, main: undefined })).toBe(true)
  expect(shouldBoot({ ...app, bootedPid: '42' })).toBe(true)
  expect(shouldBoot({ ...app, bootedPid: '' })).toBe(true)
})

test('its worker threads and child processes do not', () => {
  expect(shouldBoot({ ...app, isMainThread: false })).toBe(false)
  expect(shouldBoot({ ...app, pid: 43, bootedPid: '42' })).toBe(false)
})

test.each([
  '/usr/lib/node_modules/npm/bin/npm-cli.js',
  '/usr/lib/node_modules/npm/bin/npx-cli.js',
  '/usr/local/bin/npm',
  '/opt/yarn/bin/yarn.js',
  '/usr/lib/node_modules/pnpm/bin/pnpm.cjs',
  '/app/node_modules/.bin/sqlite-backup',
  '/app/node_modules/@sqlite-backup/cli/bin/sqlite-backup.js',
])('%s only starts the app', (main) => {
  expect(shouldBoot({ ...app, main })).toBe(false)
})

test.each(['/app/npm-server.js', '/app/bun/index.js', '/app/sqlite-backup-admin.js'])('%s is an app', (main) => {
  expect(shouldBoot({ ...app, main })).toBe(true)
})
