import { join } from 'node:path'
import type { ResolvedDatabase } from '../config/config.ts'
import type { EngineContext } from '../context.ts'
import type { Finding } from '../engine-api.ts'
import { isBackupError, messageOf } from '../errors.ts'
import { followLinks } from '../spool/follow-links.ts'
import { lockFolder } from '../spool/lock-folder.ts'
import { defaultSpoolDir, temporarySpoolDir } from '../spool/spool.ts'
import { decideInterrupted } from './decide-interrupted.ts'
import { type GuardIntent, readIntent } from './intent.ts'
import { isBroken } from './judge-migration.ts'
import { describeIntent, whereItStands } from './recover-guard.ts'
import { commandEnded } from './running-command.ts'
import { surveyNow } from './take-image.ts'

/** What a guard that was killed has left: where it stands, and what the next guarded start will do. Changes nothing. */
export async function examineGuard(
  context: EngineContext,
  database: ResolvedDatabase,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    for (const dir of await guardDirs(database)) {
      const intent = await readIntent(dir)
      if (intent !== undefined) return [await examineIntent(context, database, dir, intent, signal)]
    }
    return []
  } catch (error) {
    const hint = isBackupError(error) ? error.hint : undefined
    return [{ level: 'error', code: 'MIGRATION', message: messageOf(error), ...(hint === undefined ? {} : { hint }) }]
  }
}

async function examineIntent(
  context: EngineContext,
  database: ResolvedDatabase,
  dir: string,
  intent: GuardIntent,
  signal: AbortSignal,
): Promise<Finding> {
  const what = describeIntent(intent)
  try {
    const lock = await lockFolder(dir, { waitMs: 0, signal, busy: 'It runs.' })
    try {
      await commandEnded(dir, { waitMs: 0, signal, database: database.name })
      const then = await nextStart(context, database, dir, intent, signal)
      return {
        level: 'warning',
        code: 'MIGRATION_INTERRUPTED',
        message: `${what} was interrupted${intent.phase === 'migrating' ? '' : ' while it was rolled back'}. ${then}`,
        hint: `Start the app, or run its migration under guard again. By hand: \`sqlite-backup restore ${intent.manifest.id} --db ${database.name}\`.`,
      }
    } finally {
      lock.release()
    }
  } catch (error) {
    if (!isBackupError(error, 'LOCKED')) throw error
    return { level: 'ok', code: 'MIGRATION', message: `${what} is running.` }
  }
}

/** As a sentence. What the migrator would say is pending, nobody knows here: both answers are looked at. */
async function nextStart(
  context: EngineContext,
  database: ResolvedDatabase,
  dir: string,
  intent: GuardIntent,
  signal: AbortSignal,
): Promise<string> {
  const { id } = intent.manifest
  const back = `The next guarded start rolls it back to ${id}`
  try {
    const { survey: after } = await surveyNow(context, database, dir, intent, signal)
    const decision = decideInterrupted({ ...intent, after })
    const { verdict, reasons } = decision
    if (verdict === 'untouched') return `${whereItStands(decision)} The next guarded start goes on.`
    const ifApplied = decideInterrupted({ ...intent, after, stillPending: [] })
    const otherwise =
      verdict === 'ask'
        ? `a person has to decide whether to go back to ${id}: others may have written since`
        : `it rolls it back to ${id}`
    if (ifApplied.verdict === 'finish') {
      const told = ifApplied.warnings.length === 0 ? 'Nothing is lost.' : ifApplied.warnings.join(' ')
      return `${told} The next guarded start keeps it when all of it was applied; otherwise ${otherwise}.`
    }
    if (ifApplied.verdict === 'fail') {
      const told = ifApplied.reasons.join(' ')
      return `${told} The next guarded start leaves it when all of it was applied; otherwise ${otherwise}.`
    }
    return verdict === 'ask' ? `${reasons.join(' ')} So ${otherwise}.` : `${back}: ${reasons.join(' ')}`
  } catch (error) {
    if (!isBackupError(error) || !isBroken(error.code)) throw error
    return `${back}: ${error.message}`
  }
}

/** Where a guard of this database keeps its things, without making any of it. */
async function guardDirs({ path, spoolDir }: ResolvedDatabase): Promise<readonly string[]> {
  const real = await followLinks(path).catch(() => path)
  return [...new Set([spoolDir, defaultSpoolDir(real), temporarySpoolDir(real)])].map((dir) => join(dir, 'migration'))
}
