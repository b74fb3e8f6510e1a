import { fstatSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { BackupError } from '../errors.ts'
import type { DatabaseHeader } from '../wal/database-header.ts'
import { type Captured, type CaptureTask, maxStoredBytes } from './capture-task.ts'
import { fingerprintOf } from './fingerprint.ts'
import { imageBytes } from './image.ts'
import type { LiveDatabase } from './live-database.ts'
import { createMirror, type Mirror } from './mirror.ts'
import { probeHeader } from './probe-header.ts'
import { pumpImage } from './pump-image.ts'
import { type FileState, fileState, isQuietBetween } from './quiet.ts'
import { beginRead, endRead } from './read-transaction.ts'
import { headerFacts, schemaFacts } from './source-facts.ts'
import { testPause } from './test-pause.ts'

/** Rounds of bringing the copy up to date before giving up on a database that is written all the time. */
const MAX_ROUNDS = 4

/**
 * Captures a rollback-journal database: a raw copy without any lock, then, under one SHARED lock, what was written
 * meanwhile. If nothing was, the lock is held for an instant. Readers go on; a writer waits at its commit, in all never
 * longer than `maxBlockMs`.
 * Undefined when the database is in WAL mode or has another page size by now.
 * @throws BackupError `BACKUP_WOULD_BLOCK`, `DATABASE_BUSY`, `DATABASE_REPLACED`, `DATABASE_UNREADABLE`, `SPOOL_NO_SPACE`, `ABORTED`
 */
export async function captureRollback(task: CaptureTask): Promise<Captured | undefined> {
  const { live, params, pageSize, signal, emit } = task
  const connection = live.connect()
  const mirror = await createMirror(live, pageSize, params)
  try {
    const synced = await synchronise(task, connection, mirror)
    if (synced === undefined) return undefined
    const { at, blockedMs, fingerprint, schema } = synced
    const facts = await headerFacts(mirror, live.path)
    const source = { ...facts, journalMode: 'rollback' as const, ...schema }
    const plainSizeBytes = imageBytes(mirror)
    const body = await task.startBody(plainSizeBytes)
    emit({ kind: 'pinned', at, source, plainSizeBytes, maxStoredBytes: maxStoredBytes(plainSizeBytes) })
    await testPause('pinned', signal)
    await pumpImage(mirror, body.write, { firstPage: 1, signal })
    return { source, at, pinnedMs: 0, blockedMs, fingerprint, body }
  } finally {
    await mirror.close()
  }
}

interface Synced {
  readonly at: string
  readonly blockedMs: number
  readonly fingerprint: string
  readonly schema: ReturnType<typeof schemaFacts>
}

async function synchronise(task: CaptureTask, connection: DatabaseSync, mirror: Mirror): Promise<Synced | undefined> {
  const { live, params, signal } = task
  let blockedMs = 0
  for (let round = 1; ; round++) {
    const before = fileState(live)
    const passMs = await timed(() => mirror.refresh(signal))
    await testPause('read', signal)
    const leftMs = params.maxBlockMs - blockedMs
    // Comparing under the lock takes about as long as that pass. A lock that could not help is not taken at all.
    if (passMs <= leftMs || isQuietBetween(before, fileState(live))) {
      await beginRead(connection, live.path, signal)
      const lockedAt = performance.now()
      try {
        live.checkSame()
        const header = probeHeader(live)
        if (header?.journalMode !== 'rollback' || header.pageSize !== mirror.pageSize) return undefined
        const deadline = passMs <= leftMs ? lockedAt + leftMs : 0
        const synced = trySync(live, connection, mirror, { before, header, deadline })
        if (synced !== undefined) return { ...synced, blockedMs: blockedMs + performance.now() - lockedAt }
      } finally {
        endRead(connection)
        blockedMs += performance.now() - lockedAt
      }
    }
    if (round === MAX_ROUNDS) throw wouldBlock(live.path, passMs, params.maxBlockMs)
  }
}

interface SyncOptions {
  /** The file as it was before the unlocked pass. */
  readonly before: FileState
  /** As it is under the lock. Not asked of SQLite, whose pragmas refuse a schema that they cannot parse. */
  readonly header: DatabaseHeader
  /** When the lock must be given back, if there is something to compare. */
  readonly deadline: number
}

/** With the SHARED lock held: no page changes. Undefined when it would hold the lock for too long. */
function trySync(
  live: LiveDatabase,
  connection: DatabaseSync,
  mirror: Mirror,
  { before, header, deadline }: SyncOptions,
): Omit<Synced, 'blockedMs'> | undefined {
  const at = new Date().toISOString()
  // As SQLite counts them (lockBtree in btree.c).
  const pageCount = header.pageCount || Math.ceil(fstatSync(live.fd).size / header.pageSize)
  const isCurrent = isQuietBetween(before, fileState(live)) && mirror.cutTo(pageCount)
  if (!isCurrent && !mirror.compareUntil(pageCount, deadline)) return undefined
  const schema = schemaFacts(connection, live.path, header.schemaCookie)
  return { at, fingerprint: fingerprintOf(live, undefined), schema }
}

async function timed(run: () => Promise<void>): Promise<number> {
  const began = performance.now()
  await run()
  return performance.now() - began
}

function wouldBlock(path: string, passMs: number, maxBlockMs: number): BackupError {
  return new BackupError(
    'BACKUP_WOULD_BLOCK',
    `${path} is in rollback-journal mode and written all the time: a backup would keep writers waiting for about ${Math.ceil(passMs)} ms, and ${maxBlockMs} ms are allowed.`,
    {
      hint: 'Switch it to WAL, once and for all: PRAGMA journal_mode=WAL. Or back up in a quiet hour, or raise maxBlock.',
    },
  )
}
