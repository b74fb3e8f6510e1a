import type { SerializedError } from '@sqlite-backup/core'
import { type ExitCode, exitCodes } from './exit-codes.ts'

/** An error of the command line itself. Not a BackupError, so that `--help` need not load the engine. */
export class CliError extends Error {
  readonly serialized: SerializedError
  readonly exitCode: ExitCode

  constructor(serialized: SerializedError, exitCode: ExitCode) {
    super(serialized.message)
    this.serialized = serialized
    this.exitCode = exitCode
  }
}

/** What the user typed cannot be done as it stands. */
export function usageError(message: string, hint?: string): CliError {
  return new CliError({ code: 'USAGE', message, ...(hint === undefined ? {} : { hint }) }, exitCodes.usage)
}

/** Ctrl+C, or SIGTERM. */
export function interrupted(): CliError {
  return new CliError({ code: 'ABORTED', message: 'Interrupted.' }, exitCodes.interrupted)
}
