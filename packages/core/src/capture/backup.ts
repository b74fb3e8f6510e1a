import { BackupError } from '../errors.ts'
import type { HandlerContext } from '../rpc/serve.ts'
import { type BodyWriter, createBodyWriter } from './body-writer.ts'
import { captureRollback } from './capture-rollback.ts'
import { captureWal } from './capture-wal.ts'
import { attachLive } from './live-database.ts'
import { probeHeader } from './probe-header.ts'
import type { CaptureBackup, CapturedBackup, CaptureProgress } from './protocol.ts'

/** How often a database may change its journal mode or page size under us. */
const MAX_CHANGES = 5

/**
 * One consistent image of a live database, encoded into one spool file. When it fails, no spool file is left.
 * @throws BackupError `DATABASE_…`, `BACKUP_WOULD_BLOCK`, `SPOOL_NO_SPACE`, `SPOOL_FAILED`, `ABORTED`
 */
export async function captureBackup(
  params: CaptureBackup,
  { signal, emit }: Pick<HandlerContext<CaptureProgress>, 'signal' | 'emit'>,
): Promise<CapturedBackup> {
  let body: BodyWriter | undefined
  const startBody = async (plainSizeBytes: number): Promise<BodyWriter> => {
    body = await createBodyWriter(params, plainSizeBytes, emit)
    return body
  }
  const live = attachLive(params.path)
  try {
    for (let change = 0; change < MAX_CHANGES; change++) {
      const header = probeHeader(live)
      if (header === undefined) throw emptyError(params.path)
      const { pageSize, journalMode } = header
      const capture = journalMode === 'wal' ? captureWal : captureRollback
      const captured = await capture({ live, params, pageSize, startBody, emit, signal })
      // It is not any more what its header said a moment ago.
      if (captured === undefined) continue
      const { body: writer, ...facts } = captured
      return { ...facts, ...(await writer.finish()) }
    }
    throw new BackupError('DATABASE_BUSY', `${params.path} changes its journal mode or page size again and again.`)
  } catch (error) {
    await body?.discard()
    throw error
  } finally {
    live.detach()
  }
}

function emptyError(path: string): BackupError {
  return new BackupError('DATABASE_EMPTY', `${path} has 0 bytes: there is nothing to back up yet.`, {
    hint: 'SQLite writes the file with the first table. The next run will find it.',
  })
}
