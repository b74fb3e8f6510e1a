import { type AdminOptions, createAdmin } from '@sqlite-backup/admin'
import { toRequest } from '@sqlite-backup/admin/node'
import type { SqliteBackup } from '@sqlite-backup/core'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'

export interface BackupAdminOptions extends AdminOptions<FastifyRequest> {
  /** Where the admin is: Fastify's own option of `register`. @default '/admin/backups' */
  readonly prefix?: string
}

/**
 * The admin as an encapsulated plugin for Fastify 5: hooks of the instance it is registered on guard it too, and nothing
 * of it leaks out. It uses the engine of `app.sqliteBackup` when there is one.
 *
 * @example
 * app.register(async (ops) => {
 *   ops.addHook('onRequest', requireAdmin)
 *   ops.register(backupAdmin, {
 *     prefix: '/admin/backups',
 *     authorize: (request) => ({ actor: { id: request.user.email }, permissions: 'all' }),
 *   })
 * })
 * @throws Error when nobody says who may enter
 */
export async function backupAdmin(app: FastifyInstance, options: BackupAdminOptions): Promise<void> {
  const { prefix, ...rest } = options
  const engine = rest.backup ?? engineOf(app)
  const admin = createAdmin<FastifyRequest>({ ...rest, ...(engine === undefined ? {} : { backup: engine }) })
  const below = prefix === undefined || prefix === '' ? '/admin/backups' : ''
  const basePath = `${app.prefix === '/' ? '' : app.prefix}${below}`

  // Pages that are open hold their connection, and so `server.close()`.
  app.addHook('preClose', () => admin.close())
  // The admin reads bodies itself, whatever parsers the app has.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))

  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<Response> => {
    const gone = new AbortController()
    reply.raw.once('close', () => gone.abort())
    const asked = toRequest(request.raw, {
      url: request.originalUrl,
      protocol: request.protocol,
      host: request.host,
      signal: gone.signal,
    })
    return admin.handle(asked, { input: request, basePath, address: request.ip })
  }
  // For documentation plugins.
  const schema: FastifySchema & { readonly hide: true } = { hide: true }
  for (const url of below === '' ? ['/', '/*'] : [below, `${below}/*`]) {
    app.route({
      method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
      url,
      schema,
      handler,
      exposeHeadRoute: false,
    })
  }
}

/** What the plugin of this package decorates an app with. */
function engineOf(app: FastifyInstance): SqliteBackup | undefined {
  return app.hasDecorator('sqliteBackup') ? app.getDecorator<SqliteBackup>('sqliteBackup') : undefined
}
