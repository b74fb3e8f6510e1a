import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ping } from './ping.ts'
import { type Listener, listen } from './testing/listener.ts'

let listener: Listener
beforeEach(async () => {
  listener = await listen()
})
afterEach(() => listener.close())

const quick = { pauseMs: 1, timeoutMs: 10_000 } as const

describe('ping', () => {
  test('appends what happened to the path', async () => {
    for (const suffix of ['/start', '', '/fail'] as const) {
      expect(
        await ping(listener.url, { suffix, ...quick, ...(suffix === '/fail' ? { body: 'LOCKED' } : {}) }),
      ).toBeUndefined()
    }
    expect(listener.heard).toEqual([
      { path: '/ping/0bc3-secret/start', method: 'POST', body: '' },
      { path: '/ping/0bc3-secret', method: 'POST', body: '' },
      { path: '/ping/0bc3-secret/fail', method: 'POST', body: 'LOCKED' },
    ])
  })

  test('leaves a query where it is, and a slash at the end out', async () => {
    await ping(`${listener.url}/?token=1`, { suffix: '/fail', ...quick })
    expect(listener.heard[0]?.path).toBe('/ping/0bc3-secret/fail?token=1')
  })

  test.each([[[500, 503]], [['hang-up', 'hang-up']], [[429, 502]]] as const)(
    'tries again after %j',
    async (answers) => {
      listener.answers = [...answers]
      expect(await ping(listener.url, { suffix: '', ...quick })).toBeUndefined()
      expect(listener.heard).toHaveLength(3)
    },
  )

  test('gives up after three attempts', async () => {
    listener.answers = [500, 500, 500]
    expect(await ping(listener.url, { suffix: '', ...quick })).toBe('It answered 500.')
    expect(listener.heard).toHaveLength(3)
  })

  test('does not repeat what is refused', async () => {
    listener.answers = [404]
    expect(await ping(listener.url, { suffix: '', ...quick })).toBe('It answered 404.')
    expect(listener.heard).toHaveLength(1)
  })

  test('waits for no answer longer than told', async () => {
    listener.answers = ['silence']
    expect(await ping(listener.url, { suffix: '', attempts: 1, timeoutMs: 50 })).toBe('It did not answer in time.')
  })

  test('never says the URL', async () => {
    await listener.close()
    const problems = [
      await ping(listener.url, { suffix: '', ...quick }),
      await ping('http://no-such-host.invalid/0bc3-secret', { suffix: '', ...quick, attempts: 1 }),
    ]
    expect(problems[0]).toBe('It could not be reached (ECONNREFUSED).')
    for (const problem of problems) expect(problem).not.toMatch(/0bc3|127\.0|invalid/)
  })

  test('an abort ends it', async () => {
    listener.answers = ['silence']
    const stop = new AbortController()
    const pinged = ping(listener.url, { suffix: '', ...quick, signal: stop.signal })
    stop.abort()
    expect(typeof (await pinged)).toBe('string')
  })
})
