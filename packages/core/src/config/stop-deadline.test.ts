import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { decideStopDeadline, docker, platforms } from './stop-deadline.ts'
import { parseDuration } from './units.ts'

const decide = (environment: Readonly<Record<string, string>>, more: { setMs?: number; isDocker?: boolean } = {}) =>
  decideStopDeadline({ environment, isDocker: false, pids: [812, 1], ...more })

test.each([
  ['Fly', { FLY_APP_NAME: 'shop', FLY_MACHINE_ID: '1' }, 5_000],
  ['Railway', { RAILWAY_PROJECT_ID: 'p' }, 3_000],
  ['Render', { RENDER: 'true' }, 30_000],
  ['Kubernetes', { KUBERNETES_SERVICE_HOST: '10.0.0.1' }, 30_000],
  ['PM2', { pm_id: '0' }, 1_600],
  ['systemd', { SYSTEMD_EXEC_PID: '812' }, 90_000],
] as const)('on %s it stays below what the platform allows', (by, environment, killAfterMs) => {
  const deadline = decide(environment)
  expect(deadline.by).toBe(by)
  expect(deadline.ms).toBeLessThan(killAfterMs)
  expect(deadline.ms).toBeGreaterThan(killAfterMs / 2)
})

test('what systemd started is believed, and its children, but not whoever inherited the variable from far above', () => {
  expect(decide({ SYSTEMD_EXEC_PID: '1' }).by).toBe('systemd')
  expect(decide({ SYSTEMD_EXEC_PID: '4711' }).by).toBe('default')
  expect(decide({ SYSTEMD_EXEC_PID: '4711' }, { isDocker: true }).by).toBe('Docker')
})

test('Docker is known by its file, and only when nothing more particular is', () => {
  expect(decide({}, { isDocker: true })).toEqual({ by: 'Docker', ms: 8_000 })
  expect(decide({ FLY_APP_NAME: 'shop' }, { isDocker: true }).by).toBe('Fly')
})

test('Railway’s own variable counts; nonsense in it does not', () => {
  expect(decide({ RAILWAY_PROJECT_ID: 'p', RAILWAY_DEPLOYMENT_DRAINING_SECONDS: '20' }).ms).toBe(16_000)
  expect(decide({ RAILWAY_PROJECT_ID: 'p', RAILWAY_DEPLOYMENT_DRAINING_SECONDS: 'soon' }).ms).toBe(2_400)
  expect(decide({ RAILWAY_PROJECT_ID: 'p', RAILWAY_DEPLOYMENT_DRAINING_SECONDS: '0' }).ms).toBe(2_400)
})

test('what the user set comes before everything, and 4 s is for where nothing is known', () => {
  expect(decide({ FLY_APP_NAME: 'shop' }, { setMs: 300_000 })).toEqual({ by: 'config', ms: 300_000 })
  expect(decide({})).toEqual({ by: 'default', ms: 4_000 })
})

const hosting = readFileSync(new URL('../../../../docs/8-hosting.md', import.meta.url), 'utf8')

test('docs/8-hosting.md names each platform and its time', () => {
  for (const { name, killAfterMs, variables } of [...platforms, docker]) {
    const knownBy = variables[0] ?? '/.dockerenv'
    expect(hosting).toContain(`| ${name} | ${killAfterMs / 1000} s | \`${knownBy}\` |`)
  }
})

test('what docs/8-hosting.md gives to copy leaves the app a little less time than the platform does', () => {
  const settings = [
    ...hosting.matchAll(
      /(?:stop_grace_period: |kill_timeout = "|maxShutdownDelaySeconds: |TimeoutStopSec=|terminationGracePeriodSeconds: |"drainingSeconds": )(\d+)/g,
    ),
  ]
  expect(settings.map(([, seconds]) => Number(seconds))).toEqual([30, 30, 30, 30, 30, 30])
  const deadlines = [...hosting.matchAll(/SQLITE_BACKUP_STOP_DEADLINE\W+(?:value: )?(\d+s)/g)]
  expect(deadlines.length).toBeGreaterThanOrEqual(7)
  for (const [, deadline = ''] of deadlines) expect(parseDuration(deadline)).toBe(25_000)
})
