import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeDurably } from './durable.ts'

/** What this spool remembers between runs. Losing it loses no backup: the next one starts a lineage of its own. */
export interface SpoolState {
  /** Who writes from here: random, made once per spool. */
  readonly writer: string
  /** The backup the database's present content grew from: our last one, or the one that was restored. */
  readonly parent?: string
  /** The database as it was at our last backup (see `Inspection.fingerprint`). */
  readonly fingerprint?: string
  /** How long that backup took, in ms: a stop should have as much time. */
  readonly lastBackupMs?: number
}

const FILE = 'state.json'

/** The state of a spool folder; a missing or unreadable one is a new writer. */
export async function readSpoolState(spoolDir: string): Promise<SpoolState> {
  let text: string
  try {
    text = await readFile(join(spoolDir, FILE), 'utf8')
  } catch {
    return newState()
  }
  return parse(text) ?? newState()
}

export async function writeSpoolState(spoolDir: string, state: SpoolState): Promise<void> {
  await writeDurably(join(spoolDir, FILE), `${JSON.stringify(state)}\n`)
}

function newState(): SpoolState {
  return { writer: randomBytes(8).toString('hex') }
}

function parse(text: string): SpoolState | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('writer' in value) || typeof value.writer !== 'string')
      return undefined
    return {
      writer: value.writer,
      ...('parent' in value && typeof value.parent === 'string' ? { parent: value.parent } : {}),
      ...('fingerprint' in value && typeof value.fingerprint === 'string' ? { fingerprint: value.fingerprint } : {}),
      ...('lastBackupMs' in value && typeof value.lastBackupMs === 'number'
        ? { lastBackupMs: value.lastBackupMs }
        : {}),
    }
  } catch {
    return undefined
  }
}
