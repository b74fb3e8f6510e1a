import { isBackupError } from '../errors.ts'
import type { Image } from './image.ts'
import { imageBytes } from './image.ts'
import type { CaptureBackup } from './protocol.ts'
import { pumpImage } from './pump-image.ts'
import { createSpoolFile, type SpoolFile } from './spool-file.ts'

export interface RawCopy extends Image {
  close(): Promise<void>
}

/**
 * The pages of `image` from `firstPage` on, copied into a nameless file of the spool. Undefined when there is no room
 * for it.
 */
export async function openRawCopy(
  image: Image,
  firstPage: number,
  { spoolFile, reserveBytes }: Pick<CaptureBackup, 'spoolFile' | 'reserveBytes'>,
  signal: AbortSignal,
): Promise<RawCopy | undefined> {
  const { pageSize, pageCount } = image
  let file: SpoolFile | undefined
  try {
    const expectedBytes = imageBytes(image) - (firstPage - 1) * pageSize
    file = await createSpoolFile(`${spoolFile}.raw`, { reserveBytes, expectedBytes, isAnonymous: true })
    await pumpImage(image, file.append, { firstPage, signal })
  } catch (error) {
    await file?.discard()
    if (isBackupError(error, 'SPOOL_NO_SPACE')) return undefined
    throw error
  }
  const copy = file
  return {
    pageSize,
    pageCount,
    read: (target, page) => copy.readAt(target, (page - firstPage) * pageSize),
    close: copy.discard,
  }
}
