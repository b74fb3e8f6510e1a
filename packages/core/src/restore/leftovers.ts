import { rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { safetyCopyName } from '../backup/store-left-copies.ts'
import type { CaptureClient } from '../capture/client.ts'
import { fsyncDir, isTempNameFor, writeDurably } from '../spool/durable.ts'
import { followLinks } from '../spool/follow-links.ts'
import { readJson } from '../spool/read-json.ts'
import type { CallOptions } from '../storage/storage.ts'

/** Files of a restore under way, written down before the first of them exists. */
export interface RestoreFiles {
  /** The image beside the target. */
  readonly temp: string
  /** The raw copy of what is replaced. It has this name only once it is complete. */
  readonly safetyCopy?: string
}

/** Where a restore works. */
export interface RestorePlace {
  readonly spoolDir: string
  /** The database file, or the new file. */
  readonly target: string
}

const FILE = 'restore.json'

export async function writeRestoreFiles(spoolDir: string, files: RestoreFiles): Promise<void> {
  await writeDurably(join(spoolDir, FILE), Buffer.from(JSON.stringify(files)))
}

/** The restore is over, and its safety copy, if any, is a backup by now. */
export async function forgetRestoreFiles(spoolDir: string): Promise<void> {
  await rm(join(spoolDir, FILE), { force: true })
  await fsyncDir(spoolDir)
}

/** Removes an image that did not get to its place, with what SQLite may have put beside it. */
export async function removeTemp(temp: string): Promise<void> {
  for (const suffix of ['', '-journal', '-wal', '-shm']) await rm(`${temp}${suffix}`, { force: true })
}

/**
 * Finishes or undoes what a killed restore left: its temporary files go, the database is whole. To be called with the
 * spool's lock held, before anyone looks at the database.
 * @returns a safety copy that is complete: the database may have been replaced, so it should become a backup. Until
 * then every call returns it again; {@link forgetRestoreFiles} ends that.
 * @throws BackupError `RESTORE_TARGET_BUSY`, `DATABASE_…`
 */
export async function recoverRestore(
  capture: Pick<CaptureClient, 'recoverPublish'>,
  place: RestorePlace,
  options: CallOptions = {},
): Promise<{ readonly safetyCopy?: string }> {
  const { spoolDir } = place
  await capture.recoverPublish(place, options)
  const files = await readRestoreFiles(place)
  if (files === undefined) return {}
  const { temp, safetyCopy } = files
  if (temp !== undefined) await removeTemp(temp)
  if (safetyCopy !== undefined) await rm(`${safetyCopy}.draft`, { force: true })
  if (safetyCopy !== undefined && (await exists(safetyCopy))) return { safetyCopy }
  await forgetRestoreFiles(spoolDir)
  return {}
}

/** Whether a restore was interrupted here. Needs no lock. */
export async function hasInterruptedRestore(spoolDir: string): Promise<boolean> {
  return exists(join(spoolDir, FILE))
}

/**
 * Of the record only names are believed, and only names that a restore here gives: what it leads to is deleted or moved.
 * That they are looked for beside the target and in the spool also finds them when both have moved.
 */
async function readRestoreFiles({ spoolDir, target }: RestorePlace): Promise<Partial<RestoreFiles> | undefined> {
  const record = await readJson(join(spoolDir, FILE))
  if (record === undefined) return undefined
  const { temp, safetyCopy } = { ...(record as { readonly [key in keyof RestoreFiles]?: unknown }) }
  // A folder that is gone has nothing to remove.
  const realTarget = await followLinks(target).catch(() => target)
  const tempName = typeof temp === 'string' ? basename(temp) : ''
  const copyName = typeof safetyCopy === 'string' ? basename(safetyCopy) : ''
  return {
    ...(isTempNameFor(realTarget, tempName) ? { temp: join(dirname(realTarget), tempName) } : {}),
    ...(safetyCopyName.test(copyName) ? { safetyCopy: join(spoolDir, copyName) } : {}),
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
