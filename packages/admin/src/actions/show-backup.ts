import type { BackupDetails } from '@sqlite-backup/core'
import { askInOrder } from '../ask-in-order.ts'
import { backupIdOf, databaseOf, type Exchange, storageOf } from '../web/exchange.ts'

/** The backup in the path, from the storage that was named or the first that has it. */
export function showBackup(exchange: Exchange): Promise<BackupDetails> {
  const { admin } = exchange
  const database = databaseOf(exchange)
  const id = backupIdOf(exchange)
  return askInOrder(admin, storageOf(exchange), (options) => admin.engine.show(id, { ...options, database }))
}
