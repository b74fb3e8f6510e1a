import type { ResolvedDatabase } from '../config/config.ts'
import { type EngineContext, reserveBytesOf } from '../context.ts'
import { BackupError } from '../errors.ts'
import { placeOf } from '../spool/place-of.ts'
import { formatSize, spaceOf } from '../spool/space.ts'

/**
 * That a roll-back would find room is known before the migration begins: its log and the safety copy are as large as the
 * database each, and so is the image that is looked at afterwards. A database on another volume than the spool needs room
 * there for the image of before and the log.
 * @throws BackupError `SPOOL_NO_SPACE`
 */
export async function requireRoom(
  context: EngineContext,
  { name, path }: ResolvedDatabase,
  dir: string,
  sizeBytes: number,
): Promise<void> {
  const neededBytes = Math.ceil(sizeBytes * 2.1)
  for (const folder of [dir, (await placeOf(path)).folder]) {
    const [{ freeBytes }, reserveBytes] = await Promise.all([spaceOf(folder), reserveBytesOf(context.config, folder)])
    if (freeBytes - reserveBytes >= neededBytes) continue
    throw new BackupError(
      'SPOOL_NO_SPACE',
      `To undo a migration of ${name} takes ${formatSize(neededBytes)}, and ${folder} has ${formatSize(freeBytes)} free, of which ${formatSize(reserveBytes)} are the app's.`,
      { hint: 'Nothing was migrated. Free some space, or put the spool on another volume.' },
    )
  }
}
