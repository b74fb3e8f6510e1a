import type { DatabaseStatus, Status } from '@sqlite-backup/core'
import { formatMoment, formatSpan } from '../format.ts'

/** How safe one database is, in one look. */
export interface Safety {
  readonly level: 'good' | 'warning' | 'bad'
  /** One sentence, with `safeUntil` in UTC. */
  readonly headline: string
  /** What a crash now would lose. */
  readonly loss: string
  /** What a clean stop now would lose, like that of a deploy. */
  readonly stop?: string
  /** Everything up to this moment can be put back, ISO 8601. */
  readonly safeUntil?: string
  readonly ageMs?: number
}

/**
 * The sentence at the top of the page. The moment is that of the newest backup any storage has: that is what a restore
 * would bring back. The level is that of the worst storage. Pure.
 */
export function describeSafety(
  status: Pick<DatabaseStatus, 'storages'>,
  stop?: Pick<Status['stop'], 'backup'>,
): Safety {
  const safety = describeCrash(status)
  // Where nothing would be lost anyway, or nothing is known, a stop changes nothing. An engine of the admin's own is
  // closed by no app: it is not asked.
  if (stop === undefined || !safety.loss.startsWith('A crash now would lose')) return safety
  const text =
    stop.backup === false
      ? 'No last backup is made when the app stops (stop.backup is false).'
      : 'A deploy loses nothing if the app closes its backups when it stops, as the plugins do.'
  return { ...safety, stop: text }
}

function describeCrash({ storages }: Pick<DatabaseStatus, 'storages'>): Safety {
  const newest = storages
    .map((each) => each.newest)
    .filter((each) => each !== undefined)
    .sort((a, b) => a.ageMs - b.ageMs)[0]
  if (newest === undefined) {
    const nobodyKnows = isSilent(storages)
    return {
      level: 'bad',
      headline: nobodyKnows ? 'Nobody knows: no storage could be read.' : 'Not backed up yet.',
      loss: nobodyKnows ? 'What a crash now would lose is not known.' : 'A crash now would lose everything.',
    }
  }
  const bad = storages.filter(({ healthy }) => !healthy)
  const level =
    bad.length === storages.length
      ? 'bad'
      : bad.length > 0 || storages.every((each) => !each.offsite)
        ? 'warning'
        : 'good'
  const where =
    bad.length === 0
      ? ''
      : bad.length === 1
        ? `, but ${bad[0]?.storage} needs a look`
        : `, but ${bad.length} storages need a look`
  const unchangedAt = stillTrueAt(storages, newest.id)
  if (unchangedAt !== undefined) {
    return {
      level,
      headline: `Safe until ${formatMoment(unchangedAt)}${where}.`,
      loss: 'Nothing had changed since the newest backup then.',
      safeUntil: unchangedAt,
      ageMs: newest.ageMs,
    }
  }
  return {
    level,
    headline: `Safe until ${formatMoment(newest.created)}${where}.`,
    loss:
      newest.ageMs < 10_000
        ? 'A crash now would lose next to nothing.'
        : `A crash now would lose ${formatSpan(newest.ageMs)} of changes.`,
    safeUntil: newest.created,
    ageMs: newest.ageMs,
  }
}

/** What the engine says of a storage that was read and holds nothing of this database. */
export const noBackup = 'There is no backup.'

/** No backup is known, and a storage could not be asked: there may be some. */
export function isSilent(storages: DatabaseStatus['storages']): boolean {
  return storages.some(({ newest, problems }) => newest === undefined && problems.some((each) => each !== noBackup))
}

/** When schedules looked last and found the newest backup to be the database still. */
function stillTrueAt(storages: DatabaseStatus['storages'], newestId: string): string | undefined {
  return storages
    .filter(({ newest, beat }) => newest?.id === newestId && (beat?.state === 'unchanged' || beat?.state === 'asleep'))
    .map(({ beat }) => beat?.at)
    .filter((at) => at !== undefined)
    .filter((at) => storages.every(({ newest }) => newest === undefined || at > newest.created))
    .sort()
    .at(-1)
}
