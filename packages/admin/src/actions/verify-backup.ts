import type { CheckLevel } from '@sqlite-backup/core'
import { formatDuration } from '../format.ts'
import type { Job } from '../jobs.ts'
import { AdminError } from '../web/admin-error.ts'
import { databaseOf, type Exchange, storageOf } from '../web/exchange.ts'
import { requireIdle } from './make-backup.ts'
import { showBackup } from './show-backup.ts'

const levels: readonly CheckLevel[] = ['stored', 'checked', 'proven']

/** Verifies one backup to the level asked for, in the background. */
export async function verifyBackup(exchange: Exchange): Promise<Job> {
  const { admin, access, input } = exchange
  const database = databaseOf(exchange)
  const level = levels.find((each) => each === (input.level ?? 'checked'))
  if (level === undefined) {
    throw new AdminError(400, 'LEVEL_INVALID', `The level should be one of ${levels.join(', ')}.`)
  }
  const from = storageOf(exchange)
  const source = { database, ...(from === undefined ? {} : { from }) }
  requireIdle(exchange, 'verify', database)
  const { manifest } = await showBackup(exchange)
  const actor = access.actor.id
  await admin.audit.append(database, { actor, action: 'verify.requested', backup: manifest.id, detail: { level } })
  return admin.jobs.start({
    kind: 'verify',
    database,
    backup: manifest.id,
    actor,
    async run(signal) {
      const { record, storage } = await admin.engine.verify(manifest.id, { ...source, level, signal })
      const took = formatDuration(record.durationMs)
      if (record.outcome === 'failed') {
        const why = record.error?.message ?? record.messages?.[0] ?? 'It is not what it should be.'
        return {
          message: `It failed: ${why}`,
          warnings: [...(record.messages ?? [])].slice(0, 10),
          backup: manifest.id,
        }
      }
      return { message: `It is ${level} in ${storage} (${took}).`, warnings: [], backup: manifest.id }
    },
  })
}
