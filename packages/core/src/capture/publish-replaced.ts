import { BackupError, messageOf } from '../errors.ts'
import type { PublishProgress } from './protocol.ts'
import { setImageJournalMode } from './publish-image.ts'
import { clearIntent, setJournalMode, writeIntent } from './publish-intent.ts'

export interface PublishReplaced {
  readonly image: string
  readonly target: string
  readonly spoolDir: string
  readonly busyTimeoutMs: number
  readonly emit: (progress: PublishProgress) => void
}

/**
 * Runs `publish` with a WAL database taken out of WAL mode, where pages of another size can be taken over. SQLite lets
 * us do that only when nobody else has it open. All that a crash can leave is the old database in rollback mode, so
 * that is what the intent record is about; the new one comes with its own mode in the same transaction.
 * @throws BackupError `RESTORE_TARGET_BUSY` when a process has it open, and what `publish` throws
 */
export async function publishReplaced<T>(options: PublishReplaced, publish: () => Promise<T>): Promise<T> {
  const { image, target, spoolDir, busyTimeoutMs, emit } = options
  setImageJournalMode(image, 'wal')
  await writeIntent(spoolDir, { target, wasWal: true })
  emit({ kind: 'step', step: 'intent' })
  try {
    await setJournalMode(target, 'rollback', busyTimeoutMs)
    emit({ kind: 'step', step: 'journal-mode' })
    const result = await publish()
    await setJournalMode(target, 'wal', busyTimeoutMs)
    await clearIntent(spoolDir)
    return result
  } catch (error) {
    await undo(options, error)
    throw error
  }
}

async function undo({ target, spoolDir, busyTimeoutMs }: PublishReplaced, why: unknown): Promise<void> {
  try {
    await setJournalMode(target, 'wal', busyTimeoutMs)
  } catch (error) {
    // The intent record stays, for the next start to try again.
    throw new BackupError(
      'RESTORE_TARGET_BUSY',
      `${messageOf(why)} ${target} could not be put back into WAL mode yet.`,
      {
        hint: 'Its content is whole. WAL mode comes back with the next start, or by: PRAGMA journal_mode = WAL',
        cause: error,
      },
    )
  }
  await clearIntent(spoolDir)
}
