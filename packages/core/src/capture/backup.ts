import { BackupError } from '../errors.ts'
import type { HandlerContext } from '../rpc/serve.ts'
import { type BodyWriter, createBodyWriter } from './body-writer.ts'
import { type Captured, captureWal } from './capture-wal.ts'
import { attachLive } from './live-database.ts'
import { probeHeader } from './probe-header.ts'
import type { CaptureBackup, CapturedBackup, CaptureProgress } from './protocol.ts'

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
    const header = probeHeader(live)
    if (header === undefined) {
      throw new BackupError('DATABASE_EMPTY', `${params.path} has 0 bytes: there is nothing to back up yet.`, {
        hint: 'SQLite writes the file with the first table. The next run will find it.',
      })
    }
    const task = { live, params, pageSize: header.pageSize, startBody, emit, signal }
    const captured: Captured | undefined = await captureWal(task)
    if (captured === undefined) throw new BackupError('BACKUP_WOULD_BLOCK', 'Not in WAL mode.')
    const { body: writer, ...facts } = captured
    return { ...facts, ...(await writer.finish()) }
  } catch (error) {
    await body?.discard()
    throw error
  } finally {
    live.detach()
  }
}
