import {
  createHealth,
  type HealthAnswer,
  type HealthOptions,
  healthContentType,
  type SqliteBackup,
} from '@sqlite-backup/core'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { withoutFastifys } from './without-fastifys.ts'

export interface BackupHealthOptions extends HealthOptions {
  /** @default `app.sqliteBackup` */
  readonly backup?: SqliteBackup
  /** In front of the paths: Fastify's own option of `register`. */
  readonly prefix?: string
}

/**
 * `/livez`, `/readyz` and `/backupz`: 200 or 503, with checks. Only `/backupz` knows how the backups are.
 *
 * @example
 * app.register(backupHealth)
 *
 * @throws BackupError `USAGE`
 */
export async function backupHealth(app: FastifyInstance, { backup, ...rest }: BackupHealthOptions): Promise<void> {
  const health = createHealth(backup ?? app.sqliteBackup, withoutFastifys(rest))
  const answer = (reply: FastifyReply, { statusCode, body }: HealthAnswer): FastifyReply =>
    reply.code(statusCode).header('cache-control', 'no-store').type(healthContentType).send(JSON.stringify(body))
  // `hide` belongs to @fastify/swagger, whose types may not be there.
  const options = { logLevel: 'warn' as const, schema: { hide: true } as object }
  app.get('/livez', options, (_request, reply) => answer(reply, health.live()))
  app.get('/readyz', options, (_request, reply) => answer(reply, health.ready()))
  app.get('/backupz', options, async (_request, reply) => answer(reply, await health.backups()))
}
