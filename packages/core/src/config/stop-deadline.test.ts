import { expect, test } from 'vitest'
import { decideStopDeadline } from './stop-deadline.ts'

const decide = (environment: Readonly<Record<string, string>>, more: { setMs?: number; isDocker?: boolean } = {}) =>
  decideStopDeadline({ environment, isDocker: false, ...more })

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
