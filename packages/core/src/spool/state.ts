import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Storage } from '../storage/storage.ts'
import { writeDurably } from './durable.ts'

/** What this spool remembers between runs. Losing it loses no backup: the next one starts a lineage of its own. */
export interface SpoolState {
  /** Who writes from here: random, made once per spool. */
  readonly writer: string
  /** The backup the database's present content grew from: our last one, or the one that was restored. */
  readonly parent?: string
  /** The database as it was at our last backup (see `Inspection.fingerprint`). */
  readonly fingerprint?: string
  /** By storage (see `madeForKey`), the newest backup made for it. Whether it has arrived, and is still there, the storage says. */
  readonly madeFor?: Readonly<Record<string, MadeBackup>>
  /** How long that backup took, in ms: a stop should have as much time. */
  readonly lastBackupMs?: number
}

export interface MadeBackup {
  readonly id: string
  /** The database as it was then. */
  readonly fingerprint: string
}

const FILE = 'state.json'

/** Storages come and go, like those that are only a flag of the command line. */
const MAX_MADE_FOR = 16

interface NamedPlace {
  /** The name in the configuration. */
  readonly name: string
  readonly storage: Pick<Storage, 'name'>
}

/** One file may be backed up under several names, into several places of the same name. */
export function madeForKey(database: string, { name, storage }: NamedPlace): string {
  return JSON.stringify([database, name, storage.name])
}

/** With one more backup for these storages; the oldest are forgotten. */
export function withMade(
  { madeFor = {} }: SpoolState,
  keys: readonly string[],
  made: MadeBackup,
): NonNullable<SpoolState['madeFor']> {
  const others = Object.entries(madeFor).filter(([key]) => !keys.includes(key))
  return Object.fromEntries([...others, ...keys.map((key) => [key, made] as const)].slice(-MAX_MADE_FOR))
}

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
      ...('madeFor' in value ? { madeFor: parseMadeFor(value.madeFor) } : {}),
    }
  } catch {
    return undefined
  }
}

function parseMadeFor(value: unknown): NonNullable<SpoolState['madeFor']> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, MadeBackup] => isMade(entry[1])))
}

function isMade(value: unknown): value is MadeBackup {
  if (typeof value !== 'object' || value === null || !('id' in value) || !('fingerprint' in value)) return false
  return typeof value.id === 'string' && typeof value.fingerprint === 'string'
}
