/** `stored`: the store has it (HEAD). `checked`: its bytes were read back and hashed. `proven`: it was restored and SQLite's checks ran. */
export type CheckLevel = 'stored' | 'checked' | 'proven'

/** What one verification found. Kept beside the manifest. */
export interface VerifyRecord {
  readonly level: CheckLevel
  readonly outcome: 'ok' | 'failed'
  /** ISO 8601, UTC. */
  readonly at: string
  readonly durationMs: number
  /** For `proven`: what SQLite said. */
  readonly integrity?: 'ok' | 'damaged' | 'unknown'
  readonly messages?: readonly string[]
  readonly foreignKeyViolations?: number
  /** Rows per table, at `proven`. */
  readonly tables?: Readonly<Record<string, number>>
  readonly error?: { readonly code: string; readonly message: string }
}
