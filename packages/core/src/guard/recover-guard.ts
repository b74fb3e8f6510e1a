import { rm } from 'node:fs/promises'
import type { ResolvedDatabase } from '../config/config.ts'
import type { EngineContext } from '../context.ts'
import { BackupError, isBackupError } from '../errors.ts'
import { decideInterrupted, type InterruptedDecision } from './decide-interrupted.ts'
import type { GuardOptions } from './guard-api.ts'
import { clearIntent, type GuardIntent, intentFile, readIntent } from './intent.ts'
import { isBroken } from './judge-migration.ts'
import { removeImages } from './leftovers.ts'
import { rollBack } from './roll-back.ts'
import { surveyNow } from './take-image.ts'

export interface Recovered {
  /** What was found and done about it, in sentences; empty when nothing was interrupted. */
  readonly warnings: readonly string[]
}

/**
 * Finishes or undoes a migration whose guard was killed. To be called with the guard's lock held, before anything else.
 * @throws BackupError `MIGRATION_INTERRUPTED` when only a person can decide, `MIGRATION_NOT_ROLLED_BACK`
 */
export async function recoverGuard(
  context: EngineContext,
  database: ResolvedDatabase,
  dir: string,
  options: Pick<GuardOptions, 'pending' | 'plan' | 'interrupted' | 'actor'>,
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
      return { warnings: [`${what} was interrupted. The database is as it was before.`] }
    case 'finish':
      await forget(dir, intent)
      return { warnings: [`${what} was interrupted after all of it was applied. Checked now: nothing is lost.`] }
    case 'undo': {
      const { safetyBackup } = await rollBack(
        context,
        { intent, dir, keepsLocally: false, actor: options.actor },
        signal,
      )
      await forget(dir, intent)
      const kept = safetyBackup === undefined ? '' : ` What it had made is in ${safetyBackup}.`
      return {
        warnings: [
          `${what} was interrupted, and is rolled back to ${intent.manifest.id}. ${decision.reasons.join(' ')}${kept}`,
        ],
      }
    }
    case 'ask':
      throw new BackupError('MIGRATION_INTERRUPTED', `${what} was interrupted. ${decision.reasons.join(' ')}`, {
        hint: `Others have written since, so going back is for you to decide. Back: \`sqlite-backup restore ${intent.manifest.id} --db ${database.name}\` (what is there now is backed up first). Keep it: \`interrupted: 'keep'\`, or remove ${intentFile(dir)}.`,
      })
  }
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
  options: Pick<GuardOptions, 'pending' | 'plan' | 'interrupted' | 'actor'>,
  signal: AbortSignal,
): Promise<InterruptedDecision> {
  try {
    const { survey } = await surveyNow(context, database, dir, intent, signal)
    const stillPending = await (options.pending?.() ?? options.plan?.(survey))
    return decideInterrupted({ ...intent, after: survey, stillPending: stillPending?.names })
  } catch (error) {
    if (!isBackupError(error) || !isBroken(error.code)) throw error
    return { verdict: 'undo', reasons: [error.message] }
  }
}

async function forget(dir: string, { image }: GuardIntent): Promise<void> {
  await clearIntent(dir)
  await rm(image, { force: true })
  await removeImages(dir)
}
