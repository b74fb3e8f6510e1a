import { join } from 'node:path'
import type * as Sqlite from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { BackupError, messageOf } from '../errors.ts'
import { isBusy } from '../wal/result-code.ts'

/** An exclusive lock of a folder of ours. It lasts until it is released or this process ends, however it ends. */
export interface FolderLock {
  release(): void
}

export interface LockOptions {
  readonly waitMs: number
  readonly signal: AbortSignal
  /** Who has it when we do not get it, as a sentence. */
  readonly busy: string
}

const POLL_MS = 25

/**
 * Takes the lock of a folder, by SQLite's own file locks on an empty `lock.db` in it, which the kernel frees.
 * @throws BackupError `LOCKED` after `waitMs`, `SPOOL_FAILED`, `ABORTED`
 */
export async function lockFolder(dir: string, { waitMs, signal, busy }: LockOptions): Promise<FolderLock> {
  const deadline = performance.now() + waitMs
  const file = join(dir, 'lock.db')
  for (;;) {
    if (signal.aborted) throw new BackupError('ABORTED', 'The operation was aborted.', { cause: signal.reason })
    const connection = tryLock(file)
    if (connection !== undefined) return { release: () => connection.close() }
    if (performance.now() >= deadline) {
      throw new BackupError('LOCKED', busy, {
        hint: `It holds ${file}. Wait for it, or give this run a longer lock wait.`,
      })
    }
    await delay(POLL_MS)
  }
}

/**
 * A second connection of this process does not get the lock either, and closing it leaves the first one's alone: one
 * SQLite library keeps count of its own connections to a file. https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
 */
function tryLock(file: string): Sqlite.DatabaseSync | undefined {
  let connection: Sqlite.DatabaseSync | undefined
  try {
    const { DatabaseSync } = loadSqlite()
    connection = new DatabaseSync(pathToFileURL(file), { timeout: 0 })
    // Locks the empty file without writing a byte into it.
    connection.exec('BEGIN EXCLUSIVE')
    return connection
  } catch (error) {
    connection?.close()
    if (isBusy(error)) return undefined
    throw new BackupError('SPOOL_FAILED', `The spool cannot be locked: ${messageOf(error)}`, {
      hint: 'Does its folder exist, and may this process write there?',
      cause: error,
    })
  }
}

/** On the first lock, without the warning of Node 22 that it is experimental, which would be none of the app's business. */
function loadSqlite(): typeof Sqlite {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return process.getBuiltinModule('node:sqlite')
  } finally {
    process.emitWarning = emitWarning
  }
}
