import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { chooseEncoding } from '../backup/choose-encoding.ts'
import type { RawImage } from '../backup/run-backup.ts'
import type { ResolvedDatabase } from '../config/config.ts'
import { type EngineContext, reserveBytesOf } from '../context.ts'
import type { ImageSurvey } from '../work/protocol.ts'
import type { GuardIntent } from './intent.ts'
import { onceMore } from './once-more.ts'

export interface TakenImage extends RawImage {
  readonly sizeBytes: number
  /** How long writers were kept out, in ms. */
  readonly blockedMs: number
}

// A migration keeps writers out as well, and one that cannot be undone is worse than a wait: a rollback-journal database
// is compared under a lock for this long at most.
const MAX_BLOCK_MS = 30_000

/** A raw image of the live database in the folder, captured in the capture process. */
export async function takeImage(
  context: EngineContext,
  { path }: ResolvedDatabase,
  dir: string,
  signal: AbortSignal,
): Promise<TakenImage> {
  const { capture, config } = context
  const file = join(dir, `${randomBytes(6).toString('hex')}.image.body`)
  const { at, fingerprint, plain, blockedMs } = await capture.backup(
    {
      path,
      spoolFile: file,
      encode: chooseEncoding({ profile: config.profile, compression: 'none', level: 0, maxStoredBytes: 0 }),
      maxPinMs: config.maxPinMs,
      maxBlockMs: Math.max(config.maxBlockMs, MAX_BLOCK_MS),
      reserveBytes: await reserveBytesOf(config, dir),
    },
    { signal },
  )
  return { path: file, at, fingerprint, sizeBytes: plain.sizeBytes, blockedMs }
}

/** Removes an image, with what SQLite may have put beside it. */
export async function removeImage({ path }: RawImage): Promise<void> {
  for (const suffix of ['', '-wal', '-shm']) await rm(`${path}${suffix}`, { force: true })
}

/** What a migration has made, beside the image and the survey of before. */
export function surveyNow(
  context: EngineContext,
  database: ResolvedDatabase,
  dir: string,
  { bookkeeping, image: file, before }: Pick<GuardIntent, 'bookkeeping' | 'image' | 'before'>,
  signal: AbortSignal,
): Promise<{ readonly survey: ImageSurvey; readonly blockedMs: number }> {
  const { tables } = before
  const references = Object.keys(before.references)
  return onceMore(async () => {
    const image = await takeImage(context, database, dir, signal)
    try {
      // A roll-back that was interrupted may have taken it already.
      const since = existsSync(file) ? { since: { file, tables, references } } : {}
      const survey = await context.work.survey({ file: image.path, bookkeeping, ...since }, { signal })
      return { survey, blockedMs: image.blockedMs }
    } finally {
      await removeImage(image)
    }
  })
}
