import type { ResolvedDatabase } from '../config/config.ts'
import { type EngineContext, reserveBytesOf } from '../context.ts'
import { BackupError } from '../errors.ts'
import { formatSize, spaceOf } from '../spool/space.ts'

/**
 * That a roll-back would find room is known before the migration begins: its log and the safety copy are as large as the
 * database each, and so is the image that is looked at afterwards.
 * @throws BackupError `SPOOL_NO_SPACE`
 */
export async function requireRoom(
  context: EngineContext,
  { name }: ResolvedDatabase,
  dir: string,
  sizeBytes: number,
): Promise<void> {
  const neededBytes = Math.ceil(sizeBytes * 2.1)
  const [{ freeBytes }, reserveBytes] = await Promise.all([spaceOf(dir), reserveBytesOf(context.config, dir)])
  if (freeBytes - reserveBytes >= neededBytes) return
  throw new BackupError(
    'SPOOL_NO_SPACE',
    `To undo a migration of ${name} takes ${formatSize(neededBytes)}, and ${dir} has ${formatSize(freeBytes)} free, of which ${formatSize(reserveBytes)} are the app's.`,
    { hint: 'Nothing was migrated. Free some space, or put the spool on another volume.' },
  )
}
