import type { AuditLog, SqliteBackup } from '@sqlite-backup/core'

/** The audit log in these storages of an engine. @default all */
export async function openAuditLog(engine: SqliteBackup, names = engine.storages): Promise<AuditLog> {
  const { createAuditLog } = await import('@sqlite-backup/core')
  const storages = names.map((name) => ({ name, storage: engine.storage(name) }))
  return createAuditLog({ storages, now: () => new Date() })
}
