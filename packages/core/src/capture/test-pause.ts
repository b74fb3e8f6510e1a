import { setTimeout as delay } from 'node:timers/promises'

/**
 * `pinned`: the moment is fixed and told. `read`: the pages are read, the last checks are to come.
 * With SQLITE_BACKUP_TEST_PAUSE=pinned:500 in its environment the capture process stays there for 500 ms, so that tests
 * can kill it or move files in between. Nothing else reads the variable.
 */
export type PauseStep = 'pinned' | 'read'

const [step, ms] = (process.env.SQLITE_BACKUP_TEST_PAUSE ?? '').split(':')

export async function testPause(at: PauseStep, signal: AbortSignal): Promise<void> {
  if (step === at) await delay(Number(ms), undefined, { signal })
}
