import { BackupError, type ErrorCode, isBackupError, messageOf } from '../errors.ts'
import type { ImageSurvey } from '../work/protocol.ts'
import { decideMigration, type MigrationDecision } from './decide-migration.ts'
import type { GuardOptions } from './guard-api.ts'
import type { Guarded } from './guarded.ts'
import type { GuardIntent } from './intent.ts'
import { surveyNow } from './take-image.ts'

/** How the migrator ended. */
export type Attempt<T> =
  | { readonly ok: true; readonly value: T; readonly failure: undefined }
  | { readonly ok: false; readonly failure: unknown }

export interface Judged {
  readonly decision: MigrationDecision
  readonly after?: ImageSurvey
  readonly blockedMs: number
}

/**
 * Looks at what a migration made of the database, and decides.
 * @throws BackupError `MIGRATION_INTERRUPTED` when that could not be found out: the intent stays for the next guard
 */
export async function judgeMigration<T>(
  guarded: Guarded<T>,
  intent: GuardIntent,
  attempt: Attempt<T>,
): Promise<Judged> {
  const { context, database, dir, options, bookkeeping, signal } = guarded
  const failure = attempt.ok ? undefined : describeFailure(attempt.failure)
  let surveyed: Awaited<ReturnType<typeof surveyNow>>
  try {
    surveyed = await surveyNow(context, database, dir, intent, signal)
  } catch (error) {
    if (!isBackupError(error)) throw error
    if (!isBroken(error.code)) throw notChecked(database.name, failure, error)
    const reasons = [...(failure === undefined ? [] : [`It failed: ${failure}`]), error.message]
    return { decision: { verdict: 'roll-back', lost: [], reasons, warnings: [] }, blockedMs: 0 }
  }
  const facts = {
    before: intent.before,
    after: surveyed.survey,
    failure,
    failedChecks: [],
    isAtomic: intent.isAtomic,
    bookkeeping,
    allowLoss: intent.allowLoss,
    rowLoss: options.rowLoss ?? 'rollback',
  }
  const decision = decideMigration(facts)
  const judged = { after: surveyed.survey, blockedMs: surveyed.blockedMs }
  if (decision.verdict !== 'keep') return { decision, ...judged }
  const failedChecks = await runChecks(options)
  return { decision: failedChecks.length === 0 ? decision : decideMigration({ ...facts, failedChecks }), ...judged }
}

/** With what is behind it: Drizzle's own errors say no more than which query failed. */
export function describeFailure(failure: unknown): string {
  const message = messageOf(failure).trim()
  const cause = failure instanceof Error && failure.cause !== undefined ? describeFailure(failure.cause) : message
  return message.includes(cause) ? message : `${message} (${cause})`
}

/** There is no database any more that could be looked at. */
export function isBroken(code: ErrorCode): boolean {
  return (
    code === 'DATABASE_MISSING' ||
    code === 'DATABASE_EMPTY' ||
    code === 'DATABASE_INVALID' ||
    code === 'DATABASE_ENCRYPTED'
  )
}

function notChecked(database: string, failure: string | undefined, cause: BackupError): BackupError {
  const how = failure === undefined ? 'ran' : `failed (${failure})`
  return new BackupError(
    'MIGRATION_INTERRUPTED',
    `The migration of ${database} ${how}, but what it made could not be looked at: ${cause.message}`,
    { hint: 'The next guarded start looks at it, and keeps it or rolls it back.', cause },
  )
}

/** What the app's own checks find, in sentences. */
export async function runChecks({ checks = [] }: Pick<GuardOptions, 'checks'>): Promise<readonly string[]> {
  const failed: string[] = []
  for (const check of checks) {
    const name = check.name === '' ? 'a check' : check.name
    try {
      if ((await check()) === false) failed.push(`${name} gave false.`)
    } catch (error) {
      failed.push(`${name}: ${messageOf(error)}`)
    }
  }
  return failed
}
