import {
  createHealth,
  type HealthAnswer,
  type HealthOptions,
  healthContentType,
  type SqliteBackup,
} from '@sqlite-backup/core'
import { type Response, Router } from 'express'

export interface BackupHealthOptions extends HealthOptions {
  readonly backup: SqliteBackup
}

/**
 * `/livez`, `/readyz` and `/backupz`: 200 or 503, with checks. Only `/backupz` knows how the backups are.
 *
 * @example
 * app.use(backupHealth({ backup }))
 */
export function backupHealth({ backup, ...rest }: BackupHealthOptions): Router {
  const health = createHealth(backup, rest)
  const answer = (res: Response, { statusCode, body }: HealthAnswer): void =>
    void res.status(statusCode).set('cache-control', 'no-store').type(healthContentType).send(JSON.stringify(body))
  return Router()
    .get('/livez', (_req, res) => answer(res, health.live()))
    .get('/readyz', (_req, res) => answer(res, health.ready()))
    .get('/backupz', async (_req, res) => answer(res, await health.backups()))
}
