import { Cron } from 'croner'
import { BackupError, messageOf } from '../errors.ts'
import { type Duration, parseDuration } from './units.ts'

/** `every 5m`, or five (or six, with seconds) fields of cron. */
export type ScheduleText = string

/** A schedule that was understood. */
export type Schedule =
  | { readonly kind: 'every'; readonly everyMs: number; readonly text: ScheduleText }
  | { readonly kind: 'cron'; readonly pattern: string; readonly timeZone: string; readonly text: ScheduleText }

const SHORTEST_MS = 1000

/**
 * A schedule of equal steps. They are counted from 1970-01-01 UTC, which is midnight when the step divides a day, so that
 * all processes and all starts mean the same.
 *
 * @example
 * defineConfig({ jobs: { often: { schedule: every('5m') } } })
 */
export function every(duration: Duration): ScheduleText {
  return `every ${duration}`
}

/** @throws BackupError `CONFIG_INVALID` */
export function parseSchedule(text: ScheduleText, timeZone = 'UTC'): Schedule {
  const [, duration] = /^every (.+)$/.exec(text.trim()) ?? []
  if (duration !== undefined) {
    const everyMs = parseDuration(duration)
    if (everyMs >= SHORTEST_MS) return { kind: 'every', everyMs, text }
    throw new BackupError('CONFIG_INVALID', `"${text}" is too often: a second is the least.`)
  }
  return { kind: 'cron', pattern: requireCron(text.trim(), timeZone), timeZone, text }
}

/** @throws BackupError `CONFIG_INVALID` */
export function requireTimeZone(timeZone: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone })
    return timeZone
  } catch (cause) {
    throw new BackupError('CONFIG_INVALID', `"${timeZone}" is not a time zone.`, {
      hint: 'Write it like Europe/Berlin, or UTC.',
      cause,
    })
  }
}

function requireCron(pattern: string, timeZone: string): string {
  requireTimeZone(timeZone)
  try {
    if (new Cron(pattern, { paused: true, timezone: timeZone }).nextRun() !== null) return pattern
  } catch (cause) {
    throw new BackupError('CONFIG_INVALID', `"${pattern}" is not a schedule: ${messageOf(cause)}`, {
      hint: "Write five fields of cron, like '17 * * * *', or every('5m').",
      cause,
    })
  }
  throw new BackupError('CONFIG_INVALID', `"${pattern}" never comes: no day matches it.`)
}
