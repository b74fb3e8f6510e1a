import type { ResolvedDatabase } from '../config/config.ts'
import type { EngineContext } from '../context.ts'
import type { GuardOptions } from './guard-api.ts'
import type { GuardedRun } from './running-command.ts'

/** One guarded migration: what all of its steps share. */
export interface Guarded<T> {
  readonly context: EngineContext
  readonly database: ResolvedDatabase
  readonly spoolDir: string
  /** The guard's own folder in it. */
  readonly dir: string
  readonly migrate: (run: GuardedRun) => T | Promise<T>
  readonly options: GuardOptions<T>
  readonly bookkeeping: readonly string[]
  readonly signal: AbortSignal
  /** performance.now() */
  readonly began: number
  readonly warnings: string[]
  warn(sentences: readonly string[]): void
}
