import type { ImageSurvey } from '../work/protocol.ts'
import { compareSurveys } from './compare-surveys.ts'
import { decideMigration, hasSameSchema, type MigrationFacts } from './decide-migration.ts'
import type { GuardIntent } from './intent.ts'

export interface InterruptedFacts extends Omit<MigrationFacts, 'failedChecks'> {
  readonly before: ImageSurvey
  readonly after: ImageSurvey
  readonly phase: GuardIntent['phase']
  /** What was to be applied then; empty when nobody knew. */
  readonly pending: readonly string[]
  /** What is still to be applied now, if that is known. */
  readonly stillPending?: readonly string[] | undefined
  /** What the app's own checks say now. @default [] */
  readonly failedChecks?: readonly string[]
}

export interface InterruptedDecision {
  /**
   * `untouched`: nothing of it is in the database. `finish`: all of it was applied and nothing is lost, or losses are only
   * to be told. `fail`: all of it was applied, with losses that are to be told and left. `undo`: half of it, or with losses.
   * `ask`: the same, but there are more rows, which may be others', and going back would take those.
   */
  readonly verdict: 'untouched' | 'finish' | 'fail' | 'undo' | 'ask'
  /** Where it stands, in sentences; empty when `untouched` to the byte. */
  readonly reasons: readonly string[]
  /** What a person should know when it is kept. */
  readonly warnings: readonly string[]
}

/** What to do about a migration whose guard was killed. Pure. */
export function decideInterrupted(facts: InterruptedFacts): InterruptedDecision {
  const { before, after, phase, pending, stillPending, isAtomic, bookkeeping, failedChecks = [] } = facts
  if (before.contentSha256 === after.contentSha256) return { verdict: 'untouched', reasons: [], warnings: [] }
  const isApplied =
    phase === 'migrating' &&
    stillPending !== undefined &&
    pending.length > 0 &&
    pending.every((name) => !stillPending.includes(name))
  // Counts do not show an UPDATE: that nothing is left of it, only the end of a roll-back or of its transaction says.
  if (phase === 'rolled-back' || (phase === 'migrating' && isAtomic && !isApplied && isUncommitted(facts))) {
    return { verdict: 'untouched', reasons: ['Nothing of it is left; others have written since.'], warnings: [] }
  }

  const { verdict, reasons, warnings } = decideMigration({ ...facts, failedChecks })
  if (isApplied && verdict === 'keep') return { verdict: 'finish', reasons: [], warnings }
  if (isApplied && verdict === 'fail') return { verdict: 'fail', reasons, warnings }
  const found = decideMigration({ ...facts, failedChecks, rowLoss: 'rollback' }).reasons
  const why = found.length > 0 ? found : [unknownEnd(phase)]
  const { grown } = compareSurveys(before, after, bookkeeping)
  if (grown.length === 0) return { verdict: 'undo', reasons: why, warnings: [] }
  const more = `There are more rows than before in ${grown.join(', ')}.`
  return { verdict: 'ask', reasons: [...why, more], warnings: [] }
}

/** One transaction, of which nothing was booked: SQLite has undone it, and what differs are rows of others. */
function isUncommitted(facts: InterruptedFacts): boolean {
  const { verdict } = decideMigration({ ...facts, failure: undefined, failedChecks: [], rowLoss: 'rollback' })
  return verdict === 'keep' && hasSameSchema(facts.before, facts.after)
}

function unknownEnd(phase: GuardIntent['phase']): string {
  return phase === 'migrating'
    ? 'Nobody knows whether all of it was applied.'
    : 'Nobody knows whether all of it was rolled back.'
}
