import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { CaptureClient } from '../capture/client.ts'
import { fsyncDir, writeDurably } from '../spool/durable.ts'
import type { CallOptions } from '../storage/storage.ts'

/** Files of a restore under way, written down before the first of them exists. */
export interface RestoreFiles {
  /** The image beside the target. */
  readonly temp: string
  /** The raw copy of what is replaced. It has this name only once it is complete. */
  readonly safetyCopy?: string
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
  spoolDir: string,
  options: CallOptions = {},
): Promise<{ readonly safetyCopy?: string }> {
  await capture.recoverPublish({ spoolDir }, options)
  const files = await readRestoreFiles(spoolDir)
  if (files === undefined) return {}
  await removeTemp(files.temp)
  const { safetyCopy } = files
  if (safetyCopy !== undefined) await rm(`${safetyCopy}.draft`, { force: true })
  if (safetyCopy !== undefined && (await exists(safetyCopy))) return { safetyCopy }
  await forgetRestoreFiles(spoolDir)
  return {}
}

/** Whether a restore was interrupted here. Needs no lock. */
export async function hasInterruptedRestore(spoolDir: string): Promise<boolean> {
  return exists(join(spoolDir, FILE))
}

async function readRestoreFiles(spoolDir: string): Promise<RestoreFiles | undefined> {
  let text: string
  try {
    text = await readFile(join(spoolDir, FILE), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return JSON.parse(text) as RestoreFiles
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
