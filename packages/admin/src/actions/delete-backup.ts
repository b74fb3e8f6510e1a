import { type DeletePlan, type DeleteResult, isBackupError } from '@sqlite-backup/core'
import { AdminError } from '../web/admin-error.ts'
import { backupIdOf, databaseOf, type Exchange } from '../web/exchange.ts'

/** What a deletion would do, in every storage. */
export function planDelete(exchange: Exchange): Promise<DeletePlan> {
  const { admin } = exchange
  return admin.engine.planDelete(backupIdOf(exchange), { database: databaseOf(exchange) })
}

/**
 * Deletes one backup in every storage, after the database's name was typed.
 * @throws AdminError `CONFIRM_MISMATCH`, `DELETE_FAILED`; BackupError `DELETE_REFUSED`
 */
export async function deleteBackup(exchange: Exchange): Promise<DeleteResult> {
  const { admin, access, input } = exchange
  const database = databaseOf(exchange)
  if (input.confirm !== database) {
    throw new AdminError(400, 'CONFIRM_MISMATCH', `Type the name of the database, ${database}, to delete its backup.`, {
      hint: 'Nothing was deleted.',
    })
  }
  const plan = await planDelete(exchange)
  const actor = access.actor.id
  const backup = plan.id
  const reason = input.reason?.trim() ?? ''
  const held = plan.storages.some(({ heldBy }) => heldBy.length > 0)
  // What is refused is no action.
  if (!held) {
    const detail = { storages: plan.storages.map((each) => each.storage).join(', ') }
    await admin.audit.append(database, {
      actor,
      action: 'delete.started',
      backup,
      detail: reason === '' ? detail : { ...detail, reason },
    })
  }
  const end = (action: string, failed: readonly string[]): Promise<unknown> =>
    admin.audit.append(database, {
      actor,
      action,
      backup,
      ...(failed.length === 0 ? {} : { detail: { failed: failed.join(', ') } }),
    })
  try {
    const result = await admin.engine.delete(backup, { database, actor })
    const failed = result.storages.filter(({ ok }) => !ok)
    await end(
      failed.length === 0 ? 'delete.succeeded' : 'delete.failed',
      failed.map(({ storage }) => storage),
    )
    const [first] = failed
    if (first === undefined) return result
    throw new AdminError(502, 'DELETE_FAILED', `${first.storage} did not delete it: ${first.error?.message ?? ''}`, {
      hint: 'Where it is gone it stays gone. Try again for the rest.',
    })
  } catch (error) {
    if (!held && isBackupError(error)) await end('delete.failed', [])
    throw error
  } finally {
    admin.facts.clear()
  }
}
