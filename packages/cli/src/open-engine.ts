import type { SqliteBackup } from '@sqlite-backup/core'
import type { Terminal } from './terminal.ts'

export interface EngineFlags {
  readonly config?: string | undefined
  /** What to back up: the name of a configured database, or a file. */
  readonly target?: string | undefined
  readonly db?: string | undefined
  readonly to?: readonly string[] | undefined
  readonly from?: string | undefined
  readonly recipients?: readonly string[] | undefined
  readonly identity?: readonly string[] | undefined
  readonly passphraseFile?: string | undefined
}

export async function openEngine(_flags: EngineFlags, _terminal: Terminal): Promise<SqliteBackup> {
  throw new Error('not yet')
}
