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

/** The state of a spool folder; a missing or unreadable one is a new writer, which only those who write down know. */
export async function readSpoolState(spoolDir: string): Promise<SpoolState> {
  return (await readState(spoolDir)) ?? newState()
}

/** The same for those who write in its name: a new writer is written down, once for all processes. */
export async function ensureSpoolState(spoolDir: string): Promise<SpoolState> {
  const found = await readState(spoolDir)
  if (found !== undefined) return found
  const state = newState()
  try {
    await writeDurably(join(spoolDir, FILE), `${JSON.stringify(state)}\n`, { ifAbsent: true })
    return state
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  const theirs = await readState(spoolDir)
  // What nobody can read is replaced.
  if (theirs === undefined) await writeSpoolState(spoolDir, state)
  return theirs ?? state
}

export async function writeSpoolState(spoolDir: string, state: SpoolState): Promise<void> {
  await writeDurably(join(spoolDir, FILE), `${JSON.stringify(state)}\n`)
}

async function readState(spoolDir: string): Promise<SpoolState | undefined> {
  try {
    return parse(await readFile(join(spoolDir, FILE), 'utf8'))
  } catch {
    return undefined
  }
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
