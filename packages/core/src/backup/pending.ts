import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Manifest } from '../catalog/manifest.ts'
import { validateManifest } from '../catalog/manifest-codec.ts'
import { writeDurably } from '../spool/durable.ts'
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

/** Keeps a spooled body for a later attempt; `file` moves into the pending folder. */
export async function keepPending(spoolDir: string, pending: PendingBackup): Promise<void> {
  const folder = join(spoolDir, 'pending')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const body = join(folder, `${pending.manifest.id}.body`)
  if (pending.file !== body) await rename(pending.file, body)
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
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const found: PendingBackup[] = []
  for (const name of names.filter((each) => each.endsWith('.json')).sort()) {
    const file = join(folder, name.replace(/\.json$/, '.body'))
    try {
      const record: unknown = JSON.parse(await readFile(join(folder, name), 'utf8'))
      if (typeof record !== 'object' || record === null || !('manifest' in record) || !('storages' in record))
        throw new Error(name)
      const manifest = validateManifest(record.manifest)
      const { size, mtimeMs } = await stat(file)
      if (size !== manifest.stored.sizeBytes || Date.now() - mtimeMs > MAX_AGE_MS) throw new Error(name)
      found.push({ manifest, storages: (record.storages as unknown[]).map(String), file })
    } catch {
      // Half-written, outdated or not ours: it can never become a backup, so it only takes room.
      await rm(join(folder, name), { force: true })
      await rm(file, { force: true })
    }
  }
  return found
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
