import { AdminError } from '../web/admin-error.ts'
import { backupIdOf, databaseOf, type Exchange } from '../web/exchange.ts'
import { showBackup } from './show-backup.ts'

const answers = new Map([
  ['yes', true],
  ['true', true],
  ['no', false],
  ['false', false],
])

/** Exempts a backup from pruning, or gives it back to the retention policy. True when it is kept now. */
export async function keepBackup(exchange: Exchange): Promise<boolean> {
  const { admin, access, input } = exchange
  const database = databaseOf(exchange)
  const id = backupIdOf(exchange)
  const wanted = answers.get(input.keep ?? '')
  if (wanted === undefined) throw new AdminError(400, 'KEEP_INVALID', 'Say keep: true or keep: false.')
  // What cannot be kept is no action.
  await showBackup(exchange)
  const actor = access.actor.id
  const reason = input.reason?.trim()
  await admin.audit.append(database, { actor, action: wanted ? 'backup.kept' : 'backup.unkept', backup: id })
  const { storages } = wanted
    ? await admin.engine.keep(id, { database, actor, ...(reason ? { reason } : {}) })
    : await admin.engine.unkeep(id, { database })
  admin.facts.clear()
  const failed = storages.find(({ ok }) => !ok)
  if (failed === undefined) return wanted
  throw new AdminError(502, 'STORAGE_FAILED', `${failed.storage} did not take it: ${failed.error?.message ?? ''}`, {
    hint: 'The other storages have. Try again.',
  })
}
