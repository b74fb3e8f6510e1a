import { adminSuite } from '@sqlite-backup/admin/testing'
import fastify from 'fastify'
import { expect, test } from 'vitest'
import { backupAdmin } from './admin.ts'

adminSuite({
  host: {
    name: 'fastify',
    async start({ admin, mount }) {
      const app = fastify({ forceCloseConnections: 'idle' })
      app.setNotFoundHandler((_request, reply) => reply.code(404).send('host says 404'))
      if (mount === 'default') app.register(backupAdmin, admin)
      else if (mount === 'path') app.register(backupAdmin, { ...admin, prefix: '/tools/backups' })
      else {
        app.register(
          async (ops) => {
            ops.register(async (area) => area.register(backupAdmin, { ...admin, prefix: '/backups' }), {
              prefix: '/area',
            })
          },
          { prefix: '/ops' },
        )
      }
      const origin = await app.listen({ port: 0, host: '127.0.0.1' })
      return {
        origin,
        path: { default: '/admin/backups', path: '/tools/backups', nested: '/ops/area/backups' }[mount],
        close: () => app.close(),
      }
    },
  },
})

test('without authorize the app does not start, and says which lines to add', async () => {
  const app = fastify()
  app.register(backupAdmin, {})
  await expect(app.ready()).rejects.toThrow(/closed until it knows who may enter/)
})

test('hooks of the instance around it guard every page, and parsers of the app are left as they are', async () => {
  const app = fastify()
  app.post('/echo', async (request) => request.body)
  app.register(async (ops) => {
    ops.addHook('onRequest', async (request, reply) => {
      if (request.headers.authorization !== 'yes') return reply.code(401).send('the host says no')
    })
    ops.register(backupAdmin, { authorize: () => ({ actor: { id: 'ann' }, permissions: 'all' }) })
  })
  for (const url of ['/admin/backups', '/admin/backups/', '/admin/backups/api/audit', '/admin/backups/nothing']) {
    expect((await app.inject(url)).body).toBe('the host says no')
  }
  expect((await app.inject({ method: 'POST', url: '/echo', payload: { a: 1 } })).json()).toEqual({ a: 1 })
  await app.close()
})
