import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { databaseFolder } from '../catalog/keys.ts'
import type { ResolvedDatabase } from '../config/config.ts'
import type { EngineContext } from '../context.ts'
import type { RestoreResult } from '../engine-api.ts'
import { isBackupError, messageOf } from '../errors.ts'
import { restoreReference } from '../restore/restore-reference.ts'
import { makeDirDurably, writeDurably } from '../spool/durable.ts'
import { openSpool } from '../spool/spool.ts'
import { bytesBody } from '../storage/storage.ts'

const FILE = 'restored-once'

/**
 * `SQLITE_BACKUP_RESTORE`: restores what it names, unless that has been done already. It is written down in the storages
 * too, because a container's disk forgets: else each of its starts would go back to the same old state.
 * @returns undefined when it has been done
 * @throws BackupError what the restore throws, and what a storage says that cannot be asked whether it was done
 */
export async function restoreOnce(
  context: EngineContext,
  database: ResolvedDatabase,
  reference: string,
  signal: AbortSignal,
): Promise<RestoreResult | undefined> {
  const spoolDir = await openSpool(database)
  const marker = join(spoolDir, FILE)
  if ((await readIfThere(marker)) === reference) return undefined
  // Not the lock of the database: the restore itself takes that one.
  const lockDir = join(spoolDir, `${FILE}.lock`)
  await makeDirDurably(lockDir)
  await context.capture.lock({ spoolDir: lockDir, waitMs: 600_000 }, { signal })
  try {
    if ((await readIfThere(marker)) === reference) return undefined
    const key = recordKey(database.name, reference)
    if (await isRecorded(context, key, signal)) return undefined
    const restored = await restoreReference(context, reference, { database: database.name }, signal)
    const unrecorded = await record(context, key, { reference, restored: restored.id }, signal)
    await writeDurably(marker, reference)
    return { ...restored, warnings: [...restored.warnings, ...unrecorded] }
  } finally {
    await context.capture.unlock({ spoolDir: lockDir })
  }
}

/** @throws BackupError what a storage says that cannot be asked */
export async function isRestoredOnce(
  context: EngineContext,
  database: ResolvedDatabase,
  reference: string,
  signal: AbortSignal,
): Promise<boolean> {
  const marker = join(await openSpool(database), FILE)
  if ((await readIfThere(marker)) === reference) return true
  return isRecorded(context, recordKey(database.name, reference), signal)
}

/** The reference was that of another database: a backup that gets this name later is not meant. */
export async function settleOnce(database: ResolvedDatabase, reference: string): Promise<void> {
  await writeDurably(join(await openSpool(database), FILE), reference)
}

/** `<db>/audit/restored-once/<hash>.json` */
function recordKey(database: string, reference: string): string {
  const hash = createHash('sha256').update(reference).digest('hex').slice(0, 16)
  return `${databaseFolder(database)}audit/${FILE}/${hash}.json`
}

async function isRecorded({ storages }: EngineContext, key: string, signal: AbortSignal): Promise<boolean> {
  const answers = await Promise.all(
    storages.map(async ({ storage }) => {
      try {
        await storage.head(key, { signal })
        return true
      } catch (error) {
        if (isBackupError(error, 'OBJECT_MISSING')) return false
        throw error
      }
    }),
  )
  return answers.includes(true)
}

/** Returns what should be known when a storage does not take the record. */
async function record(
  { storages, now }: EngineContext,
  key: string,
  facts: { readonly reference: string; readonly restored: string },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const body = bytesBody(Buffer.from(`${JSON.stringify({ at: now().toISOString(), ...facts })}\n`))
  const warnings = await Promise.all(
    storages.map(async ({ name, storage }) => {
      try {
        await storage.put(key, body, { contentType: 'application/json', signal })
        return []
      } catch (error) {
        return [
          `${name} did not take the note that SQLITE_BACKUP_RESTORE is done (${messageOf(error)}). Unset it, or a start on an empty disk will do it again.`,
        ]
      }
    }),
  )
  return warnings.flat()
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
