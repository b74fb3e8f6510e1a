import type { ImageSurvey } from '../work/protocol.ts'
import { compareSurveys } from './compare-surveys.ts'
import { decideMigration, hasSameSchema, type MigrationFacts } from './decide-migration.ts'

export interface InterruptedFacts extends Omit<MigrationFacts, 'failure' | 'failedChecks' | 'rowLoss'> {
  readonly before: ImageSurvey
  readonly after: ImageSurvey
  /** What the guard was about to do when it was killed. */
  readonly phase: 'migrating' | 'rolling-back'
  /** What was to be applied then; empty when nobody knew. */
  readonly pending: readonly string[]
  /** What is still to be applied now, if that is known. */
  readonly stillPending?: readonly string[] | undefined
}

export interface InterruptedDecision {
  /**
   * `untouched`: the database is as it was before. `finish`: all of it was applied and nothing is lost. `undo`: half of it,
   * or with losses. `ask`: the same, but others have written since, and going back would take that.
   */
  readonly verdict: 'untouched' | 'finish' | 'undo' | 'ask'
  /** Where it stands, in sentences. */
  readonly reasons: readonly string[]
}

/** What to do about a migration whose guard was killed. Pure. */
export function decideInterrupted(facts: InterruptedFacts): InterruptedDecision {
  const { before, after, phase, pending, stillPending, isAtomic, bookkeeping } = facts
  const difference = compareSurveys(before, after, bookkeeping)
  const { reasons } = decideMigration({ ...facts, failedChecks: [], rowLoss: 'rollback' })
  const isSame = before.contentSha256 === after.contentSha256
  // Rolled back and then written to, or never begun: the schema, the books and the rows say so.
  const isBack = (isAtomic || phase === 'rolling-back') && reasons.length === 0 && hasSameSchema(before, after)
  if (isSame || isBack) return { verdict: 'untouched', reasons: [] }

  const isApplied =
    phase === 'migrating' &&
    stillPending !== undefined &&
    pending.length > 0 &&
    pending.every((name) => !stillPending.includes(name))
  if (isApplied && reasons.length === 0) return { verdict: 'finish', reasons: [] }
  const why = reasons.length > 0 ? reasons : ['Nobody knows whether all of it was applied.']
  if (difference.grown.length === 0) return { verdict: 'undo', reasons: why }
  return { verdict: 'ask', reasons: [...why, `There are more rows than before in ${difference.grown.join(', ')}.`] }
}
