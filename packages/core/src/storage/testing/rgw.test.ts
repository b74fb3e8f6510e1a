import { existsSync } from 'node:fs'
import { request } from 'node:https'
import { describe, expect, it } from 'vitest'
import { hasRgw, startRgw } from './rgw.ts'

describe.skipIf(!hasRgw())('startRgw', () => {
  it('answers on both endpoints, makes users, and leaves nothing behind', async () => {
    const rgw = await startRgw({ tls: true })
    const file = rgw.caFile ?? ''
    try {
      expect((await fetch(rgw.endpoint)).status).toBe(200)
      const status = await new Promise((resolve, reject) => {
        request(rgw.tlsEndpoint ?? '', { ca: rgw.ca, agent: false }, (answer) => resolve(answer.resume().statusCode))
          .on('error', reject)
          .end()
      })
      expect(status).toBe(200)
      expect(JSON.parse(await rgw.admin('user', 'info', '--uid', 'test'))).toMatchObject({ user_id: 'test' })
      expect(existsSync(file)).toBe(true)
    } finally {
      await rgw.stop()
    }
    expect(existsSync(file)).toBe(false)
    await expect(fetch(rgw.endpoint)).rejects.toThrow()
  })
})
