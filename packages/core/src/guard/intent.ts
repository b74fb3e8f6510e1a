import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Manifest } from '../catalog/manifest.ts'
import { BackupError } from '../errors.ts'
import { fsyncDir, writeDurably } from '../spool/durable.ts'
import { readJson } from '../spool/read-json.ts'
import type { ImageSurvey } from '../work/protocol.ts'
import type { GuardOptions } from './guard-api.ts'

/** Written down before a migration begins, so that whoever finds it after a crash can finish or undo. */
export interface GuardIntent {
  readonly version: 1
  /** What the guard was about to do; `rolled-back`: nothing more. */
  readonly phase: 'migrating' | 'rolling-back' | 'rolled-back'
  readonly database: string
  /** ISO 8601, UTC. */
  readonly startedAt: string
  readonly pending: readonly string[]
  readonly isAtomic: boolean
  readonly allowLoss: readonly string[]
  readonly rowLoss: NonNullable<GuardOptions['rowLoss']>
  readonly bookkeeping: readonly string[]
  /** What the migrator threw or reported, once it has. */
  readonly failure?: string
  readonly before: ImageSurvey
  /** Of the backup made before. */
  readonly manifest: Manifest
  /** It was there already: an earlier try has put what the migration makes into the storages. */
  readonly isBackupReused: boolean
  /** A storage that has it. */
  readonly storage: string
  /** Its raw image on local disk, as long as that is there. */
  readonly image: string
}

const FILE = 'intent.json'

/** @throws BackupError `SPOOL_FAILED` when it is there and cannot be read */
export async function readIntent(dir: string): Promise<GuardIntent | undefined> {
  const file = join(dir, FILE)
  const value = await readJson(file).catch((cause: unknown) => {
    throw unreadable(file, cause)
  })
  if (value === undefined) return undefined
  // Ours alone, in a folder that only its owner may enter: what is not of this version is of another.
  if (typeof value !== 'object' || value === null || !('version' in value) || value.version !== 1) {
    throw unreadable(file, undefined)
  }
  return value as GuardIntent
}

export async function writeIntent(dir: string, intent: GuardIntent): Promise<void> {
  await writeDurably(join(dir, FILE), `${JSON.stringify(intent)}\n`)
}

/** The migration is over, one way or the other. */
export async function clearIntent(dir: string): Promise<void> {
  await rm(join(dir, FILE), { force: true })
  await fsyncDir(dir)
}

export function intentFile(dir: string): string {
  return join(dir, FILE)
}

function unreadable(file: string, cause: unknown): BackupError {
  return new BackupError('SPOOL_FAILED', `${file} does not say which migration was interrupted.`, {
    hint: 'Look at the database; `sqlite-backup list --tier pre-migration` names the backup of before. Then delete that file.',
    cause,
  })
}
