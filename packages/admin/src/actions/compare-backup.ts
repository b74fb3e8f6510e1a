import { type Comparison, isBackupError } from '@sqlite-backup/core'
import { plural } from '../format.ts'
import type { Job } from '../jobs.ts'
import { AdminError } from '../web/admin-error.ts'
import { backupIdOf, databaseOf, type Exchange, storageOf } from '../web/exchange.ts'
import { requireIdle } from './make-backup.ts'
import { showBackup } from './show-backup.ts'

/** What a page does not wait for: above this, somebody has to ask for it. */
const MAX_INLINE_BYTES = 64_000_000
const MAX_INLINE_MS = 10_000

/** What a restore would change; or a sentence on why that is not known. */
export type ComparisonAnswer =
  | { readonly kind: 'compared'; readonly comparison: Comparison }
  /** It has to be asked for: it takes longer than a page does. */
  | { readonly kind: 'large'; readonly comparison?: Comparison }
  | { readonly kind: 'failed'; readonly message: string }

/** What is known at once: compared now when both are small, else what a job of this process found out. */
export async function readComparison(exchange: Exchange, id: string, storage: string): Promise<ComparisonAnswer> {
  const { admin } = exchange
  const database = databaseOf(exchange)
  const signal = AbortSignal.timeout(MAX_INLINE_MS)
  try {
    const comparison = await admin.facts.get(`compare ${database} ${storage} ${id}`, () =>
      admin.engine.compare(id, { database, from: storage, maxBytes: MAX_INLINE_BYTES, signal }),
    )
    if (comparison.basis === 'counted') return { kind: 'compared', comparison }
    return foundByJob(exchange, id, database) ?? { kind: 'large', comparison }
  } catch (error) {
    if (signal.aborted) return foundByJob(exchange, id, database) ?? { kind: 'large' }
    if (!isBackupError(error)) throw error
    return { kind: 'failed', message: error.message }
  }
}

/** What somebody had compared before, in this process. */
function foundByJob({ admin }: Exchange, id: string, database: string): ComparisonAnswer | undefined {
  const job = admin.jobs.own().find((each) => each.result?.comparison?.id === id && each.database === database)
  const comparison = job?.result?.comparison
  return comparison === undefined ? undefined : { kind: 'compared', comparison }
}

/** Compares the database with a backup in the background, however large both are. */
export async function compareBackup(exchange: Exchange): Promise<Job> {
  const { admin, access } = exchange
  const database = databaseOf(exchange)
  const id = backupIdOf(exchange)
  const from = storageOf(exchange)
  requireIdle(exchange, 'compare', database)
  const source = { database, ...(from === undefined ? {} : { from }) }
  const { manifest } = await showBackup(exchange)
  if (manifest.database !== database) throw new AdminError(404, 'BACKUP_NOT_FOUND', 'There is no such backup.')
  const actor = access.actor.id
  await admin.audit.append(database, { actor, action: 'compare.requested', backup: id })
  return admin.jobs.start({
    kind: 'compare',
    database,
    backup: id,
    actor,
    async run(signal) {
      const comparison = await admin.engine.compare(id, { ...source, signal })
      return { message: lossOf(comparison), warnings: [], backup: id, comparison }
    },
  })
}

/** What would be lost, in one sentence. */
export function lossOf({ isSame, tables, objects }: Comparison): string {
  if (isSame) return 'The database is as it is in the backup: nothing would be lost.'
  const goes = tables.filter(({ schema }) => schema === 'goes').length
  const rows = sum(tables.map(({ now, after, rowsGoing }) => rowsGoing ?? Math.max(0, (now ?? 0) - (after ?? 0))))
  const changing = sum(tables.map(({ rowsChanging = 0 }) => rowsChanging))
  const isExact = tables.every(
    ({ schema, rowsGoing }) => rowsGoing !== undefined || schema === 'goes' || schema === 'comes',
  )
  const parts = [
    rows > 0 && `${plural(rows, 'row')} would be lost`,
    goes > 0 && `${plural(goes, 'table')} would be gone`,
    changing > 0 &&
      `${plural(changing, 'row')} would get ${changing === 1 ? 'its old values' : 'their old values'} back`,
  ].filter((part) => part !== false)
  const schema = objects.length > 0 || tables.some((table) => table.schema === 'changed' || table.schema === 'comes')
  if (parts.length > 0) return `${listOf(parts)}.`
  if (schema) return 'No row would be lost; the schema would be as it was.'
  return isExact ? 'No row would be lost or changed.' : 'The number of rows would stay the same.'
}

function listOf(parts: readonly string[]): string {
  return parts.length === 1 ? (parts[0] ?? '') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
