import { parseBackupId } from '../catalog/backup-id.ts'
import { type Beat, lastSignOf } from './beat.ts'

export interface Freshness {
  /** Until then the newest backup is known to have been what the database is. */
  readonly asOf: Date
  /** Nothing runs, and nothing changes: the newest backup is good at any age. */
  readonly isAsleep: boolean
}

// Clocks of two machines are never quite the same.
const TOLERANCE_MS = 5 * 60_000

/**
 * How fresh the newest backup is, with the signs of life. A database that was seen unchanged is as fresh as that look. It
 * is asleep when every engine that may still run has stopped cleanly, one of them since this backup. Of an engine that was
 * replaced, by one that started after its last sign, nothing more is expected.
 */
export function judgeFreshness(
  newest: { readonly id: string; readonly created: Date },
  beats: readonly Beat[],
  now: Date,
): Freshness {
  const believable = beats.filter((beat) => Date.parse(lastSignOf(beat)) <= now.getTime() + TOLERANCE_MS)
  const seen = believable.filter((beat) => beat.state !== 'awake' && isHeld(beat.backup, newest))
  const asOfMs = seen.reduce((ms, { at }) => Math.max(ms, Date.parse(at)), newest.created.getTime())
  const expected = believable.filter(
    (beat) => !believable.some((other) => !isSame(other, beat) && other.since > lastSignOf(beat)),
  )
  return {
    asOf: new Date(Math.min(asOfMs, Math.max(now.getTime(), newest.created.getTime()))),
    isAsleep:
      expected.every(({ state }) => state === 'asleep') &&
      // Who made a backup since is awake, or was when nobody looked.
      expected.some(({ at, backup }) => isHeld(backup, newest) && Date.parse(at) >= newest.created.getTime()),
  }
}

/** One engine, or of older versions one writer. */
function isSame(a: Beat, b: Beat): boolean {
  return a.writer === b.writer && a.instance === b.instance
}

/** The storage has that backup or a later one: a state that never got there does not make what is there fresh. */
function isHeld(backup: string | undefined, newest: { readonly id: string; readonly created: Date }): boolean {
  const second = backup === undefined ? undefined : parseBackupId(backup)?.second
  return second !== undefined && (backup === newest.id || second < newest.created)
}
