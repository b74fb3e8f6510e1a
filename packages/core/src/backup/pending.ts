import { readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Manifest } from '../catalog/manifest.ts'
import { validateManifest } from '../catalog/manifest-codec.ts'
import { isBackupError } from '../errors.ts'
import { fsyncFile, makeDirDurably, writeDurably } from '../spool/durable.ts'
import { growingBody } from '../spool/growing-body.ts'
import type { Body } from '../storage/storage.ts'

/** A backup that is whole on local disk and has not reached every storage it should. */
export interface PendingBackup {
  readonly manifest: Manifest
  /** Names of the storages that still lack it. */
  readonly storages: readonly string[]
  readonly file: string
}

// Bounded: the spool must never eat the disk of the app. Older ones go first.
const MAX_PENDING = 3
const MAX_AGE_MS = 7 * 24 * 3600_000
const ABANDONED_AFTER_MS = 3600_000

/** Keeps a spooled body for a later attempt; `file` moves into the pending folder. */
export async function keepPending(spoolDir: string, pending: PendingBackup): Promise<void> {
  const folder = join(spoolDir, 'pending')
  await makeDirDurably(folder)
  const body = join(folder, `${pending.manifest.id}.body`)
  if (pending.file !== body) {
    // The record below promises that it is whole.
    await fsyncFile(pending.file)
    await rename(pending.file, body)
  }
  await writeDurably(
    join(folder, `${pending.manifest.id}.json`),
    `${JSON.stringify({ manifest: pending.manifest, storages: pending.storages })}\n`,
  )
  const all = await listPending(spoolDir)
  for (const old of all.slice(0, Math.max(0, all.length - MAX_PENDING))) await dropPending(spoolDir, old)
}

/** What waits, oldest first. Entries too old or unreadable are removed. */
export async function listPending(spoolDir: string): Promise<PendingBackup[]> {
  const folder = join(spoolDir, 'pending')
  const names: string[] = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const found: PendingBackup[] = []
  for (const name of names.filter((each) => each.endsWith('.json')).sort()) {
    const file = join(folder, name.replace(/\.json$/, '.body'))
    const pending = parsePending(await readFile(join(folder, name), 'utf8'), file)
    const body = await sizeAndAge(file)
    // What is half-written or outdated can never become a backup: it only takes room. Any other error is not its fault.
    if (pending === undefined || body?.size !== pending.manifest.stored.sizeBytes || body.ageMs > MAX_AGE_MS) {
      await rm(join(folder, name), { force: true })
      await rm(file, { force: true })
    } else {
      found.push(pending)
    }
  }
  // A kill between the body and its record leaves a body nobody names.
  for (const name of names.filter(
    (each) => each.endsWith('.body') && !names.includes(each.replace(/\.body$/, '.json')),
  )) {
    const body = await sizeAndAge(join(folder, name))
    if (body !== undefined && body.ageMs > ABANDONED_AFTER_MS) await rm(join(folder, name), { force: true })
  }
  return found
}

function parsePending(text: string, file: string): PendingBackup | undefined {
  try {
    const record: unknown = JSON.parse(text)
    if (typeof record !== 'object' || record === null || !('manifest' in record) || !('storages' in record))
      return undefined
    if (!Array.isArray(record.storages)) return undefined
    return { manifest: validateManifest(record.manifest), storages: record.storages.map(String), file }
  } catch (error) {
    if (error instanceof SyntaxError || isBackupError(error, 'MANIFEST_INVALID')) return undefined
    throw error
  }
}

async function sizeAndAge(file: string): Promise<{ readonly size: number; readonly ageMs: number } | undefined> {
  try {
    const { size, mtimeMs } = await stat(file)
    return { size, ageMs: Date.now() - mtimeMs }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

export async function dropPending(spoolDir: string, pending: PendingBackup): Promise<void> {
  await rm(join(spoolDir, 'pending', `${pending.manifest.id}.json`), { force: true })
  await rm(pending.file, { force: true })
}

/** The body of a pending backup. */
export function pendingBody(pending: PendingBackup): Body {
  const { sizeBytes } = pending.manifest.stored
  const { stream } = finishedBody(pending.file, sizeBytes)
  return { size: sizeBytes, stream }
}

function finishedBody(file: string, sizeBytes: number): Body {
  const body = growingBody(file, { maxSizeBytes: sizeBytes, pieceSizeBytes: sizeBytes })
  body.finish(sizeBytes)
  return body
}
