import { putBreakGlass } from '../audit/approvals.ts'
import { createAuditLog } from '../audit/audit-log.ts'
import type { FoundBackup } from '../catalog/resolve-backup.ts'
import { databaseOf, type EngineContext, runOf } from '../context.ts'
import type { RestoreOptions, RestoreResult } from '../engine-api.ts'
import { messageOf } from '../errors.ts'

/**
 * A restore in place that one person does alone, though two are wanted: loud, before and after. What cannot be written down
 * is a warning: in an emergency a storage may be the very thing that is broken, and who may run this could do anything.
 */
export async function breakGlass(
  context: EngineContext,
  { manifest }: FoundBackup,
  options: RestoreOptions,
  restore: () => Promise<RestoreResult>,
): Promise<RestoreResult> {
  const { storages, now, config, bus } = context
  const { name: database, path: target } = databaseOf(context, options.database)
  const actor = options.actor ?? 'unknown'
  const reason = options.breakGlass?.reason ?? ''
  const backup = manifest.id
  bus.emit('restore.brokeGlass', { ...runOf(context, database)(), id: backup, target, actor, reason })
  config.log?.error({ database, backup, actor, reason }, `${actor} restores ${database} without a second person`)
  const unwritten: string[] = []
  const log = createAuditLog({ storages, now, log: config.log })
  const write = async (action: string, detail: Readonly<Record<string, string>>): Promise<void> => {
    try {
      await log.append(database, { actor, action, backup, detail })
    } catch (error) {
      unwritten.push(messageOf(error))
    }
  }
  const at = now().toISOString()
  const record = { format: 1, kind: 'break-glass', database, backup, target, actor, reason, at } as const
  const unkept = await putBreakGlass(storages, record)
  await write('restore.broke-glass', { target, reason })
  try {
    const restored = await restore()
    await write('restore.succeeded', { target })
    const warnings = [...new Set([...unwritten, ...(unkept === undefined ? [] : [unkept])])].map(
      (why) => `That nobody else approved this could not be written down: ${why}`,
    )
    return { ...restored, warnings: [...restored.warnings, ...warnings] }
  } catch (error) {
    await write('restore.failed', { target })
    throw error
  }
}
