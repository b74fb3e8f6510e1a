import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { BackupError } from '../errors.ts'
import { readJson } from '../spool/read-json.ts'

/** A guarded migration that is at work. */
export interface GuardedRun {
  /** The migration runs in another process. Should this one be killed, the next guard waits until that one has ended. */
  runsIn(pid: number): void
}

export interface CommandWait {
  readonly waitMs: number
  readonly signal: AbortSignal
  readonly database: string
}

const FILE = 'command.json'
const POLL_MS = 100

/** Not durable: when the machine goes, so does the command. */
export function recordCommand(dir: string, pid: number): void {
  writeFileSync(join(dir, FILE), JSON.stringify({ pid, life: lifeOf(pid) }), { mode: 0o600 })
}

export async function forgetCommand(dir: string): Promise<void> {
  await rm(join(dir, FILE), { force: true })
}

/**
 * Waits for the command of a guard that was killed: as long as it writes, nobody can say what it has made.
 * @throws BackupError `LOCKED` after `waitMs`, `ABORTED`
 */
export async function commandEnded(dir: string, { waitMs, signal, database }: CommandWait): Promise<void> {
  const deadline = performance.now() + waitMs
  const command = await readCommand(dir)
  while (command !== undefined && lifeOf(command.pid) === command.life) {
    if (signal.aborted) throw new BackupError('ABORTED', 'The operation was aborted.', { cause: signal.reason })
    if (performance.now() >= deadline) {
      const which = `process ${command.pid}`
      throw new BackupError('LOCKED', `A guard of ${database} was killed, and its command still runs: ${which}.`, {
        hint: 'Wait for it or end it, or give this run a longer lock wait.',
      })
    }
    await delay(POLL_MS)
  }
  await forgetCommand(dir)
}

async function readCommand(dir: string): Promise<{ readonly pid: number; readonly life: string } | undefined> {
  const value = await readJson(join(dir, FILE)).catch((error: unknown) => {
    // Half-written: the guard was killed before its command had begun.
    if (error instanceof SyntaxError) return undefined
    throw error
  })
  if (typeof value !== 'object' || value === null || !('pid' in value) || !('life' in value)) return undefined
  const { pid, life } = value
  return typeof pid === 'number' && typeof life === 'string' ? { pid, life } : undefined
}

/** Tells a process from another one that is given its number later; undefined when it has ended. */
function lifeOf(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    }
    // https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: the name may hold anything, what follows it may not.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (state === 'Z' || state === 'X') return undefined
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${rest[18]}`
  } catch {
    // No such process.
    return undefined
  }
}
