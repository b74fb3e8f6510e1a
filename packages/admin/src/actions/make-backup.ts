import { formatBytes, formatDuration } from '../format.ts'
import type { Job } from '../jobs.ts'
import { AdminError } from '../web/admin-error.ts'
import { databaseOf, type Exchange } from '../web/exchange.ts'

/** Backs a database up now, in the background. */
export async function makeBackup(exchange: Exchange): Promise<Job> {
  const { admin, access, input } = exchange
  const database = databaseOf(exchange)
  const name = input.name?.trim()
  if (name !== undefined && name !== '' && !/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name)) {
    throw new AdminError(400, 'NAME_INVALID', 'A name has letters, digits, ".", "_" and "-" only.')
  }
  const actor = access.actor.id
  requireIdle(exchange, 'backup', database)
  await admin.audit.append(database, { actor, action: 'backup.requested', ...(name ? { detail: { name } } : {}) })
  return admin.jobs.start({
    kind: 'backup',
    database,
    actor,
    async run(signal) {
      const made = await admin.engine.backup(database, {
        trigger: 'manual',
        actor,
        ...(name ? { name } : {}),
        signal,
      })
      if (made.outcome === 'off') {
        return { message: 'Backups are switched off (SQLITE_BACKUP=off): nothing was done.', warnings: made.warnings }
      }
      const size = made.manifest === undefined ? '' : `, ${formatBytes(made.manifest.stored.sizeBytes)}`
      return {
        message: `Backed up in ${formatDuration(made.durationMs)}${size}.`,
        warnings: made.warnings,
        backup: made.id,
      }
    },
  })
}

/** Before it is written down: what cannot begin is no action. */
export function requireIdle({ admin }: Exchange, kind: Job['kind'], database: string): void {
  const busy = admin.jobs.own().some((job) => job.state === 'running' && job.kind === kind && job.database === database)
  if (!busy) return
  throw new AdminError(409, 'BUSY', `Another ${kind} of ${database} is running.`, { hint: 'Wait until it has ended.' })
}
