import type { DatabaseStatus, Status } from '@sqlite-backup/core'
import { formatSpan } from '../format.ts'

/** How safe one database is, in one look. */
export interface Safety {
  readonly level: 'good' | 'warning' | 'bad'
  /** One sentence. */
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
      : 'An app that closes its backups when it stops, as the plugins do, backs up first: a deploy loses nothing.'
  return { ...safety, stop: text }
}

function describeCrash({ storages }: Pick<DatabaseStatus, 'storages'>): Safety {
  const newest = storages
    .map((each) => each.newest)
    .filter((each) => each !== undefined)
    .sort((a, b) => a.ageMs - b.ageMs)[0]
  if (newest === undefined) {
    const isSilent = storages.some(({ problems }) => problems.some((problem) => problem !== 'There is no backup.'))
    return {
      level: 'bad',
      headline: isSilent ? 'Nobody knows: no storage could be read.' : 'Not backed up yet.',
      loss: isSilent ? 'What a crash now would lose is not known.' : 'A crash now would lose everything.',
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
        ? ` — ${bad[0]?.storage} needs a look`
        : ` — ${bad.length} storages need a look`
  const unchangedAt = stillTrueAt(storages, newest.id)
  if (unchangedAt !== undefined) {
    return {
      level,
      headline: `Safe until {safeUntil}${where}.`,
      loss: 'Nothing had changed since the newest backup then.',
      safeUntil: unchangedAt,
      ageMs: newest.ageMs,
    }
  }
  return {
    level,
    headline: `Safe until {safeUntil}${where}.`,
    loss:
      newest.ageMs < 10_000
        ? 'A crash now would lose next to nothing.'
        : `A crash now would lose ${formatSpan(newest.ageMs)} of changes.`,
    safeUntil: newest.created,
    ageMs: newest.ageMs,
  }
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
