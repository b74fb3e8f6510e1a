import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseTimeStamp, timeStamp } from '../catalog/backup-id.ts'
import { makeDirDurably, writeDurably } from '../spool/durable.ts'
import type { Attempt } from './decide-next.ts'

/**
 * Who runs which slot, among all processes that share a spool: whoever makes the file `slots/<job>-<slot>-<attempt>`.
 * The file also remembers how it went.
 */
export interface SlotClaims {
  /** Attempts at the newest slots of a job. */
  read(): Promise<readonly Attempt[]>
  /** True for the one that made the file. */
  claim(slotMs: number, attempt: number, atMs: number): Promise<boolean>
  finish(attempt: Attempt): Promise<void>
}

// The slot that runs and the one before, which a slow process may still believe in.
const SLOTS_KEPT = 2

/** The claims of one job in one spool. `job`: letters, digits, `_` and `-`. */
export function slotClaims(spoolDir: string, job: string): SlotClaims {
  const folder = join(spoolDir, 'slots')
  const fileOf = (slotMs: number, attempt: number): string =>
    join(folder, `${job}-${timeStamp(new Date(slotMs))}-${attempt}.json`)

  async function list(): Promise<readonly { readonly slotMs: number; readonly number: number }[]> {
    const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    return names.flatMap((name) => {
      const [, of, stamp = '', number] = /^(.+)-(\d{8}T\d{6}\.\d{3}Z)-(\d+)\.json$/.exec(name) ?? []
      const slot = parseTimeStamp(stamp)
      return of !== job || slot === undefined ? [] : [{ slotMs: slot.getTime(), number: Number(number) }]
    })
  }

  return {
    async read() {
      const found = await list()
      return Promise.all(found.map(({ slotMs, number }) => readAttempt(fileOf(slotMs, number), slotMs, number)))
    },

    async claim(slotMs, attempt, atMs) {
      await makeDirDurably(folder)
      try {
        await writeFile(fileOf(slotMs, attempt), JSON.stringify({ atMs }), { flag: 'wx', mode: 0o600 })
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
        throw error
      }
      // What lies in the future is of a clock that was wrong; it goes when its time has come.
      const past = (await list()).filter((each) => each.slotMs <= slotMs)
      const newest = [...new Set(past.map((each) => each.slotMs))].sort((a, b) => b - a).slice(0, SLOTS_KEPT)
      const old = past.filter((each) => !newest.includes(each.slotMs))
      await Promise.all(old.map((each) => rm(fileOf(each.slotMs, each.number), { force: true })))
      return true
    },

    async finish({ slotMs, number, atMs, outcome, endedMs }) {
      await writeDurably(fileOf(slotMs, number), JSON.stringify({ atMs, outcome, endedMs }))
    },
  }
}

async function readAttempt(file: string, slotMs: number, number: number): Promise<Attempt> {
  try {
    const { atMs, outcome, endedMs }: Record<string, unknown> = JSON.parse(await readFile(file, 'utf8'))
    return {
      slotMs,
      number,
      atMs: typeof atMs === 'number' ? atMs : slotMs,
      ...(outcome === 'done' || outcome === 'failed' ? { outcome } : {}),
      ...(typeof endedMs === 'number' ? { endedMs } : {}),
    }
  } catch {
    // Just being made, cut by a crash, or just removed: its name alone says that somebody began.
    return { slotMs, number, atMs: slotMs }
  }
}
