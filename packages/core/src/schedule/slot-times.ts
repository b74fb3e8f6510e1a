import { Cron } from 'croner'
import type { Schedule } from '../config/schedule-text.ts'

const crons = new WeakMap<Schedule, Cron>()

/** The first moment of a schedule after `ms`, in milliseconds; undefined when none is left. */
export function slotAfter(schedule: Schedule, ms: number): number | undefined {
  if (schedule.kind === 'every') return (Math.floor(ms / schedule.everyMs) + 1) * schedule.everyMs
  return cronOf(schedule).nextRun(new Date(ms))?.getTime()
}

/** The last moment of a schedule at or before `ms`; undefined when there was none. */
export function slotAt(schedule: Schedule, ms: number): number | undefined {
  if (schedule.kind === 'every') return Math.floor(ms / schedule.everyMs) * schedule.everyMs
  // Croner looks before the second it is given.
  const [last] = cronOf(schedule).previousRuns(1, new Date((Math.floor(ms / 1000) + 1) * 1000))
  return last?.getTime()
}

/** How long after this slot the next one comes. */
export function spacingOf(schedule: Schedule, slotMs: number): number {
  return (slotAfter(schedule, slotMs) ?? Number.POSITIVE_INFINITY) - slotMs
}

function cronOf(schedule: Schedule & { readonly kind: 'cron' }): Cron {
  const known = crons.get(schedule)
  if (known !== undefined) return known
  // Only asked for times: a timer of its own would know no other clock.
  const cron = new Cron(schedule.pattern, { paused: true, timezone: schedule.timeZone })
  crons.set(schedule, cron)
  return cron
}
