import type { Manifest } from '../catalog/manifest.ts'
import { BackupError } from '../errors.ts'
import { fsyncFile } from '../spool/durable.ts'
import type { WorkClient } from '../work/client.ts'
import type { CheckReport, ForeignKeyReport } from '../work/protocol.ts'

export interface CheckRestored {
  readonly work: Pick<WorkClient, 'check' | 'checkForeignKeys' | 'hashImage'>
  readonly manifest: Manifest
  /** The image's SHA-256 has been compared with the manifest's. */
  readonly isHashed: boolean
  /** The image need not be on disk. */
  readonly isSynced: boolean
  /** Use a second process. */
  readonly isParallel?: boolean
  readonly acceptDamaged?: boolean
  readonly signal?: AbortSignal | undefined
}

/**
 * What an image has to stand before it is published, all at the same time: fidelity, which has the first word, then
 * SQLite's view of it.
 * @throws BackupError `BODY_…`, `RESTORE_DAMAGED`, `ABORTED`
 */
export async function checkRestored(image: string, options: CheckRestored): Promise<CheckReport> {
  const { work, manifest, isHashed, isSynced, isParallel = false } = options
  const unfaithful = new AbortController()
  const signal = options.signal === undefined ? unfaithful.signal : AbortSignal.any([options.signal, unfaithful.signal])
  // First: it takes longest, and the process that has unpacked the image is ready for it.
  const checking = work.check({ file: image, depth: 'quick', rowCounts: false, foreignKeys: !isParallel }, { signal })
  const hashing = isHashed ? undefined : work.hashImage({ file: image, expect: manifest.plain }, { signal })
  hashing?.catch((error: unknown) => unfaithful.abort(error))
  const beside = isParallel
    ? Promise.resolve(hashing).then(() => work.checkForeignKeys({ file: image }, { signal }))
    : undefined
  const results = await Promise.allSettled([hashing, checking, beside, isSynced ? undefined : fsyncFile(image)])
  for (const result of results) if (result.status === 'rejected') throw result.reason
  const report = withForeignKeys(await checking, await beside)
  if (report.outcome !== 'damaged' || options.acceptDamaged) return report
  throw new BackupError(
    'RESTORE_DAMAGED',
    `The backup ${manifest.id} is what was backed up, but the database was damaged then: ${report.messages[0] ?? 'no details'}`,
    { hint: 'Nothing was changed. Restore an older backup, or this one with --accept-damaged.' },
  )
}

function withForeignKeys(report: CheckReport, keys: ForeignKeyReport | undefined): CheckReport {
  if (keys === undefined) return report
  const isEither = (outcome: CheckReport['outcome']): boolean => report.outcome === outcome || keys.outcome === outcome
  return {
    ...report,
    outcome: isEither('damaged') ? 'damaged' : isEither('unknown') ? 'unknown' : 'ok',
    messages: [...new Set([...report.messages, ...keys.messages])],
    foreignKeyViolations: keys.foreignKeyViolations,
  }
}
