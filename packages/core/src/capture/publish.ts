import { lstatSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { BackupError, isBackupError } from '../errors.ts'
import { followLinks } from '../spool/follow-links.ts'
import type { DatabaseHeader } from '../wal/database-header.ts'
import { sqliteCode } from '../wal/result-code.ts'
import { decidePublish, type PublishRoute, type Target } from './decide-publish.ts'
import { fillCutOff } from './fill-cut-off.ts'
import { attachLive, type LiveDatabase } from './live-database.ts'
import { probeHeader } from './probe-header.ts'
import type { Publish, Published, PublishProgress } from './protocol.ts'
import { growToTwoPages, readImageHeader, setImageJournalMode } from './publish-image.ts'
import { clearIntent, writeIntent } from './publish-intent.ts'
import { moveAside, publishMissing } from './publish-missing.ts'
import { publishOnline } from './publish-online.ts'
import { publishReplaced } from './publish-replaced.ts'
import { type SafetyCopy, startSafetyCopy } from './publish-safety-copy.ts'

export interface PublishContext {
  readonly signal: AbortSignal
  readonly emit: (progress: PublishProgress) => void
}

/**
 * Puts a checked image where the live database is, or should be. Called with the spool's lock held.
 * Killed at any moment, it leaves the old database or the new one, whole.
 * @throws BackupError `RESTORE_TARGET_EXISTS`, `RESTORE_TARGET_BUSY`, `RESTORE_PAGE_SIZE`, `SPOOL_NO_SPACE`, `DATABASE_…`, `ABORTED`
 */
export async function publish(params: Publish, context: PublishContext): Promise<Published> {
  try {
    return await publishTo(await followLinks(params.target), params, context)
  } catch (error) {
    if (!isBackupError(error, 'DATABASE_BUSY')) throw error
    throw new BackupError('RESTORE_TARGET_BUSY', error.message, {
      hint: 'Nothing was changed. Stop what keeps the database locked (PRAGMA locking_mode=EXCLUSIVE?) and restore again.',
      cause: error,
    })
  }
}

async function publishTo(target: string, params: Publish, context: PublishContext): Promise<Published> {
  let found = look(target)
  context.emit({ kind: 'step', step: 'looked' })
  if (params.mustBeMissing && found.state === 'database') {
    throw new BackupError('RESTORE_TARGET_EXISTS', `There is a database at ${params.target} already.`)
  }
  const { temp, spoolDir, reserveBytes } = params
  if (found.state === 'database') {
    const options = { imageBytes: statSync(temp).size, spoolDir, reserveBytes, signal: context.signal }
    if (!(await fillCutOff(target, found.header, options))) found = { state: 'unreadable' }
  }
  const route = decidePublish(found, readImageHeader(temp).pageSize)
  if (route === 'link' || route === 'set-aside') return linkImage(params, target, route, context)
  return putOnline(params, target, found, route, context)
}

/** What lies there, by its raw bytes and in one descriptor: nothing is opened through SQLite yet. */
function look(target: string): Target {
  const stats = lstatSync(target, { throwIfNoEntry: false })
  if (stats === undefined) return { state: 'missing' }
  const live = attachLive(target)
  try {
    const header = probeHeader(live)
    if (header === undefined) return { state: 'empty' }
    // What SQLite does not write, it cannot overwrite either.
    return header.isReadOnly ? { state: 'unreadable' } : { state: 'database', header }
  } catch (error) {
    if (isBackupError(error, 'DATABASE_INVALID') || isBackupError(error, 'DATABASE_ENCRYPTED'))
      return { state: 'unreadable' }
    throw error
  } finally {
    live.detach()
  }
}

async function linkImage(
  { temp }: Publish,
  target: string,
  route: PublishRoute,
  { emit }: PublishContext,
): Promise<Published> {
  const setAside = await publishMissing({ image: temp, target, isOccupied: route === 'set-aside', emit })
  return { how: 'linked', pausedMs: 0, setAside }
}

async function putOnline(
  params: Publish,
  target: string,
  found: Target,
  route: PublishRoute,
  context: PublishContext,
): Promise<Published> {
  const wasEmpty = found.state === 'empty'
  // An empty file's -wal belongs to a database that is gone. Its -journal may belong to an app that is just creating it.
  const setAside = wasEmpty ? await moveAside(target, ['-wal', '-shm']) : []
  if (found.state === 'database' && found.header.journalMode === 'rollback')
    setImageJournalMode(params.temp, 'rollback')
  if (readImageHeader(params.temp).pageCount === 1) growToTwoPages(params.temp)

  const replace = () => replaceContent(params, target, found.state === 'database' ? found.header : undefined, context)
  if (route === 'replace') {
    const { temp: image, spoolDir, busyTimeoutMs } = params
    const published = await publishReplaced({ image, target, spoolDir, busyTimeoutMs, emit: context.emit }, replace)
    if (published.safetyCopy !== undefined) setImageJournalMode(published.safetyCopy.path, 'wal')
    return { ...published, how: 'replaced', setAside }
  }
  // A crash would leave a part of it, and a journal that says "empty": to the eye a database, to SQLite an empty one.
  if (wasEmpty) await writeIntent(params.spoolDir, { target, wasWal: false })
  const published = await replace()
  if (wasEmpty) await clearIntent(params.spoolDir)
  return { ...published, how: 'online', setAside }
}

async function replaceContent(
  { temp, safetyCopy: copyFile, busyTimeoutMs }: Publish,
  target: string,
  header: DatabaseHeader | undefined,
  { signal, emit }: PublishContext,
): Promise<Pick<Published, 'pausedMs' | 'safetyCopy'>> {
  const image = readImageHeader(temp)
  const live = attachLive(target)
  let copy: SafetyCopy | undefined
  let isCommitted = false
  try {
    if (copyFile !== undefined && header !== undefined) {
      copy = await startSafetyCopy(live, header, copyFile, signal)
      emit({ kind: 'step', step: 'safety-draft' })
    }
    const pausedMs = await publishOnline({
      image: temp,
      pageSize: image.pageSize,
      pageCount: statSync(temp).size / image.pageSize,
      target,
      busyTimeoutMs,
      signal,
      emit,
      onLocked() {
        live.checkSame()
        copy?.complete()
        emit({ kind: 'step', step: 'safety-copy' })
      },
    })
    isCommitted = true
    emit({ kind: 'step', step: 'committed' })
    if (header?.journalMode === 'wal') shrinkLog(live)
    await rm(temp)
    if (copy === undefined || copyFile === undefined) return { pausedMs }
    return { pausedMs, safetyCopy: { path: copyFile, sizeBytes: copy.close() } }
  } catch (error) {
    // Once the database is replaced the copy is the only way back, whatever fails after that.
    if (!isCommitted) copy?.discard()
    throw error
  } finally {
    live.detach()
  }
}

/** The log has taken the whole database; without this it would keep that size until the app's last connection closes. */
function shrinkLog(live: LiveDatabase): void {
  try {
    // One try without waiting (the connection has no busy timeout): a reader in its way is no reason to hold up writers.
    live.connect().exec('PRAGMA wal_checkpoint(TRUNCATE)')
  } catch (error) {
    // The restore is done. A long log takes room, and the app's own checkpoints go on.
    if (!isBackupError(error) && sqliteCode(error) === undefined) throw error
  }
}
