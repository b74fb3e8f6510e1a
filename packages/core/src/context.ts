import { randomUUID } from 'node:crypto'
import type { CaptureClient } from './capture/client.ts'
import type { NamedStorage } from './catalog/first-answering.ts'
import type { ResolvedConfig, ResolvedDatabase } from './config/config.ts'
import { BackupError } from './errors.ts'
import type { EventBase, EventBus } from './events.ts'
import type { InUse } from './in-use.ts'
import { spaceOf } from './spool/space.ts'
import type { WorkClient } from './work/client.ts'

/** What the verbs share: made once by the engine. */
export interface EngineContext {
  readonly config: ResolvedConfig
  /** The configured storages, each with retry around it. */
  readonly storages: readonly NamedStorage[]
  readonly bus: EventBus
  readonly capture: CaptureClient
  readonly work: WorkClient
  readonly now: () => Date
  /** Fires when a stop cannot wait any longer for storages: what is spooled by then stays in the spool. */
  readonly storeUntil: AbortSignal
  /** Backups that are being read: no prune takes them away. */
  readonly inUse: InUse
}

/** The database of this name, or the only one. @throws BackupError `USAGE` */
export function databaseOf({ config }: EngineContext, name: string | undefined): ResolvedDatabase {
  const names = config.databases.map((each) => each.name)
  const found = name === undefined ? only(config.databases) : config.databases.find((each) => each.name === name)
  if (found !== undefined) return found
  if (names.length === 0) {
    throw new BackupError('USAGE', 'No database is configured.', {
      hint: 'Name its file, or write a config: `sqlite-backup init`.',
    })
  }
  throw new BackupError(
    'USAGE',
    name === undefined
      ? 'Several databases are configured: which one?'
      : `There is no database "${name}" in the configuration.`,
    { hint: `It has: ${names.join(', ')}.` },
  )
}

/** Bytes that must stay free on the volume of `dir`. */
export async function reserveBytesOf({ reserve }: ResolvedConfig, dir: string): Promise<number> {
  const { totalBytes } = await spaceOf(dir)
  return Math.max(reserve.bytes, Math.floor(totalBytes * reserve.fraction))
}

/** What all events of one run carry. */
export function runOf(context: EngineContext, database: string): () => EventBase {
  const runId = randomUUID()
  return () => ({ runId, database, at: context.now().toISOString() })
}

function only<T>(items: readonly T[]): T | undefined {
  return items.length === 1 ? items[0] : undefined
}
