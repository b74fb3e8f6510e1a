import { rm } from 'node:fs/promises'
import type { ResolvedDatabase } from '../config/config.ts'
import { type EngineContext, runOf } from '../context.ts'
import { BackupError, isBackupError, serializeError } from '../errors.ts'
import { decideInterrupted, type InterruptedDecision } from './decide-interrupted.ts'
import type { GuardOptions } from './guard-api.ts'
import { clearIntent, type GuardIntent, intentFile, readIntent } from './intent.ts'
import { isBroken, runChecks } from './judge-migration.ts'
import { removeImages } from './leftovers.ts'
import { lostRows } from './migrate-backed-up.ts'
import { rollBack } from './roll-back.ts'
import { surveyNow } from './take-image.ts'

export interface Recovered {
  /** What was found and done about it, in sentences; empty when nothing was interrupted. */
  readonly warnings: readonly string[]
}

type RecoverOptions = Pick<
  GuardOptions,
  'pending' | 'plan' | 'allowLoss' | 'rowLoss' | 'checks' | 'interrupted' | 'actor'
>

/**
 * Finishes or undoes a migration whose guard was killed. To be called with the guard's lock held, before anything else.
 * @throws BackupError `MIGRATION_INTERRUPTED` when only a person can decide, `MIGRATION_NOT_ROLLED_BACK`,
 * `MIGRATION_LOST_ROWS` with `rowLoss: 'fail'`
 */
export async function recoverGuard(
  context: EngineContext,
  database: ResolvedDatabase,
  dir: string,
  options: RecoverOptions,
  signal: AbortSignal,
): Promise<Recovered> {
  const intent = await readIntent(dir)
  if (intent === undefined) {
    await removeImages(dir)
    return { warnings: [] }
  }
  const what = describeIntent(intent)
  const decision = await decide(context, database, dir, intent, options, signal)
  if (options.interrupted === 'keep' && decision.verdict !== 'untouched') {
    await forget(dir, intent)
    return { warnings: [`${what} was interrupted. The database is kept as it is. ${decision.reasons.join(' ')}`] }
  }
  switch (decision.verdict) {
    case 'untouched':
      await forget(dir, intent)
      return { warnings: [`${what} was interrupted. ${whereItStands(decision)}`] }
    case 'finish':
      await forget(dir, intent)
      return { warnings: [`${what} was interrupted after all of it was applied. ${keptAs(decision)}`] }
    case 'fail': {
      await forget(dir, intent)
      const error = lostRows(intent, decision.reasons)
      const event = runOf(context, database.name)()
      context.bus.emit('migration.failed', { ...event, pending: intent.pending, error: serializeError(error) })
      throw error
    }
    case 'undo': {
      const { safetyBackup, warnings } = await rollBack(context, { intent, dir, actor: options.actor }, signal)
      await forget(dir, intent)
      const kept = safetyBackup === undefined ? '' : ` What it had made is in ${safetyBackup}.`
      return {
        warnings: [
          `${what} was interrupted, and is rolled back to ${intent.manifest.id}. ${decision.reasons.join(' ')}${kept}`,
          ...warnings,
        ],
      }
    }
    case 'ask':
      throw new BackupError('MIGRATION_INTERRUPTED', `${what} was interrupted. ${decision.reasons.join(' ')}`, {
        hint: `Others may have written these rows, or the migration itself: whether to go back is for you to decide, once. Back: \`sqlite-backup restore ${intent.manifest.id} --db ${database.name}\` (what is there now is backed up first), then start again. Keep it: start once with \`interrupted: 'keep'\` (\`sqlite-backup guard --keep-interrupted\`), or remove ${intentFile(dir)}.`,
      })
  }
}

/** What is true of a database in which nothing of the migration is left. */
export function whereItStands({ reasons }: InterruptedDecision): string {
  return reasons.length === 0 ? 'The database is as it was before.' : reasons.join(' ')
}

function keptAs({ warnings }: InterruptedDecision): string {
  return warnings.length === 0 ? 'Checked now: nothing is lost.' : `It is kept. ${warnings.join(' ')}`
}

/** Which migration it was. */
export function describeIntent({ database, startedAt, pending }: GuardIntent): string {
  return `The migration of ${database} that began at ${startedAt} (${pending.join(', ') || 'of a command'})`
}

async function decide(
  context: EngineContext,
  database: ResolvedDatabase,
  dir: string,
  intent: GuardIntent,
  options: RecoverOptions,
  signal: AbortSignal,
): Promise<InterruptedDecision> {
  try {
    const { survey } = await surveyNow(context, database, dir, intent, signal)
    const still = await (options.pending?.() ?? options.plan?.(survey))
    const facts = {
      ...intent,
      after: survey,
      stillPending: still?.names,
      // Those of this start: they are what somebody changed on hearing of the loss.
      allowLoss: [...intent.allowLoss, ...(options.allowLoss ?? []), ...(still?.allowLoss ?? [])],
      rowLoss: options.rowLoss ?? 'rollback',
    }
    const decision = decideInterrupted(facts)
    if (decision.verdict !== 'finish' || options.interrupted === 'keep') return decision
    const failedChecks = await runChecks(options)
    return failedChecks.length === 0 ? decision : decideInterrupted({ ...facts, failedChecks })
  } catch (error) {
    if (!isBackupError(error) || !isBroken(error.code)) throw error
    return { verdict: 'undo', reasons: [error.message], warnings: [] }
  }
}

async function forget(dir: string, { image }: GuardIntent): Promise<void> {
  await clearIntent(dir)
  await rm(image, { force: true })
  await removeImages(dir)
}
