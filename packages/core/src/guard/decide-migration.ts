import type { ImageSurvey } from '../work/protocol.ts'
import { compareSurveys, describeLoss } from './compare-surveys.ts'
import type { GuardOptions, LostRows } from './guard-api.ts'

export interface MigrationFacts {
  readonly before: ImageSurvey
  readonly after: ImageSurvey
  /** What the migrator threw or reported. */
  readonly failure?: string | undefined
  /** What the app's own checks said. */
  readonly failedChecks: readonly string[]
  readonly isAtomic: boolean
  readonly bookkeeping: readonly string[]
  readonly allowLoss: readonly string[]
  readonly rowLoss: NonNullable<GuardOptions['rowLoss']>
}

export interface MigrationDecision {
  /** `as-it-was`: the migration failed and has left nothing behind. `fail`: to be told and left as it is. */
  readonly verdict: 'keep' | 'roll-back' | 'as-it-was' | 'fail'
  readonly lost: readonly LostRows[]
  /** Why it is not kept, in sentences. */
  readonly reasons: readonly string[]
  readonly warnings: readonly string[]
}

/** Whether what a migration made may stay. Pure. */
export function decideMigration(facts: MigrationFacts): MigrationDecision {
  const { before, after, failure, failedChecks, bookkeeping, rowLoss } = facts
  const difference = compareSurveys(before, after, bookkeeping)
  const lost = difference.lost.filter((each) => !isAllowed(each, facts.allowLoss))
  const allowed = difference.lost.filter((each) => isAllowed(each, facts.allowLoss))
  const hard = [
    ...(failure === undefined ? [] : [`It failed: ${sentence(failure)}`]),
    ...difference.newDamage.map((message) => `SQLite finds damage: ${sentence(message)}`),
    ...Object.entries(difference.newViolations).map(
      ([key, counts]) => `Rows that refer to nothing (${key}): ${counts.before} before, ${counts.after} after.`,
    ),
    ...failedChecks.map((message) => `A check failed: ${sentence(message)}`),
  ]
  const losses = lost.map(describeLoss)
  const warnings = [
    ...allowed.map((each) => `As allowed: ${describeLoss(each)}`),
    ...difference.moved.map(({ from, to }) => `The rows of ${from} are in ${to} now.`),
    ...difference.gone,
    ...difference.uncounted.map((table) => `The rows of ${table} could not be counted without the app.`),
    ...(after.outcome === 'unknown'
      ? [`SQLite could not check all of it without the app: ${sentence(after.messages[0] ?? '')}`]
      : []),
  ]
  if (failure !== undefined && isAsItWas(facts, difference.lost.length + hard.length - 1)) {
    return { verdict: 'as-it-was', lost: [], reasons: hard, warnings }
  }
  if (hard.length > 0) return { verdict: 'roll-back', lost, reasons: [...hard, ...losses], warnings }
  if (losses.length === 0) return { verdict: 'keep', lost: [], reasons: [], warnings }
  if (rowLoss === 'warn') return { verdict: 'keep', lost, reasons: [], warnings: [...losses, ...warnings] }
  return { verdict: rowLoss === 'fail' ? 'fail' : 'roll-back', lost, reasons: losses, warnings }
}

/**
 * The failed migration has left nothing behind: the content is the same; or it ran in one transaction, its traces would
 * show in the schema or the books, and what differs are rows that others wrote meanwhile. Restoring would take those.
 */
function isAsItWas({ before, after, isAtomic }: MigrationFacts, otherProblems: number): boolean {
  if (before.contentSha256 === after.contentSha256) return true
  return isAtomic && otherProblems === 0 && hasSameSchema(before, after)
}

/** Schema and books are as before. The migrator may have made its table, or given it more columns. */
export function hasSameSchema(before: ImageSurvey, after: ImageSurvey): boolean {
  return before.schemaSha256 === after.schemaSha256 && booked(before) === booked(after)
}

function booked({ migrations }: ImageSurvey): number {
  return Object.values(migrations).reduce((sum, names) => sum + names.length, 0)
}

/** Names of tables are the same in any case: https://sqlite.org/lang_keywords.html */
function isAllowed({ table, column }: LostRows, allowLoss: readonly string[]): boolean {
  const name = (column === undefined ? table : `${table}.${column}`).toLowerCase()
  return allowLoss.some((each) => each.toLowerCase() === name || each.toLowerCase() === table.toLowerCase())
}

function sentence(text: string): string {
  const trimmed = text.trim()
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`
}
