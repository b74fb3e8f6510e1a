import type { SerializedError, SqliteBackup } from '@sqlite-backup/core'
import { CliError, interrupted } from './cli-error.ts'
import type { CommandContext, Ending, GlobalFlags, Outcome } from './command.ts'
import { type ExitCode, exitCodeOf, exitCodes } from './exit-codes.ts'
import { readDuration } from './read-duration.ts'
import { formatDuration } from './render/ages.ts'
import { renderError } from './render/error.ts'
import { showEvents } from './show-events.ts'
import { createTerminal, type Terminal } from './terminal.ts'

/** Of the result object that `--json` prints last. It grows by adding; a change of meaning raises it. */
export const schemaVersion = 1

const sameKeyPressMs = 500
/** More is taken for 1 ms: https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
const longestTimerMs = 2 ** 31 - 1
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * The life of one command: Ctrl+C and `--timeout` abort it, its engine is closed, its outcome or its error is printed.
 * Returns how the process ends; never throws.
 */
export async function runCommand(
  name: string,
  flags: GlobalFlags,
  execute: (context: CommandContext) => Promise<Outcome>,
): Promise<Ending> {
  const terminal = createTerminal({
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    now: Date.now,
    isJson: flags.json ?? false,
    isQuiet: flags.quiet ?? false,
  })
  const stop = new AbortController()
  const engines: SqliteBackup[] = []
  const stopListening = abortOnSignals(stop, terminal)
  let timer: NodeJS.Timeout | undefined
  try {
    if (flags.timeout !== undefined) timer = await abortAfter(flags.timeout, stop)
    const outcome = await execute({
      terminal,
      signal: stop.signal,
      cwd: process.cwd(),
      env: process.env,
      now: Date.now,
      leaveSignals: stopListening,
      async openEngine(engineFlags) {
        const { openEngine } = await import('./open-engine.ts')
        const opened = await openEngine(
          { ...engineFlags, config: flags.config },
          { cwd: process.cwd(), env: process.env },
        )
        engines.push(opened.engine)
        showEvents(opened.engine, terminal)
        for (const warning of opened.warnings) terminal.warn(warning)
        return opened
      },
    })
    await closeAll(engines)
    printOutcome(name, outcome, terminal)
    return outcome
  } catch (error) {
    await closeAll(engines).catch((closeError: unknown) => terminal.warn(String(closeError)))
    return { exitCode: await printFailure(name, stop.signal.aborted ? stop.signal.reason : error, terminal) }
  } finally {
    clearTimeout(timer)
    stopListening()
  }
}

/** The first signal stops cleanly, the second leaves at once. */
function abortOnSignals(stop: AbortController, terminal: Terminal): () => void {
  let stoppedAtMs = 0
  const onSignal = (): void => {
    if (stop.signal.aborted) {
      // npm and npx pass on the Ctrl+C that the terminal has sent to the whole group: one key press, two signals.
      if (Date.now() - stoppedAtMs < sameKeyPressMs) return
      terminal.progress.stop()
      process.exit(exitCodes.interrupted)
    }
    stoppedAtMs = Date.now()
    stop.abort(interrupted())
    terminal.say(terminal.err.dim('Stopping cleanly. Press Ctrl+C again to leave at once.'))
  }
  for (const signal of signals) process.on(signal, onSignal)
  return () => {
    for (const signal of signals) process.off(signal, onSignal)
  }
}

async function abortAfter(timeout: string, stop: AbortController): Promise<NodeJS.Timeout> {
  const ms = await readDuration('--timeout', timeout)
  const serialized = {
    code: 'ABORTED',
    message: `Not done after ${formatDuration(ms)}.`,
    hint: 'Give it more time with --timeout, or leave the flag out.',
  }
  return setTimeout(() => stop.abort(new CliError(serialized, exitCodes.failed)), Math.min(ms, longestTimerMs))
}

async function closeAll(engines: readonly SqliteBackup[]): Promise<void> {
  for (const engine of engines) await engine.close({ deadlineMs: 10_000 })
}

function printOutcome(command: string, outcome: Outcome, terminal: Terminal): void {
  if (terminal.isJson) {
    const ok = outcome.exitCode === exitCodes.ok
    terminal.printJson({ schemaVersion, command, ok, exitCode: outcome.exitCode, result: outcome.json })
  } else {
    terminal.print(terminal.isQuiet ? (outcome.quietLines ?? []) : outcome.lines)
  }
}

/** The error on stderr, and as the last JSON object. */
export async function printFailure(command: string, error: unknown, terminal: Terminal): Promise<ExitCode> {
  const { serialized, exitCode } = await failureOf(error)
  terminal.printError(renderError(serialized, terminal.errColumns, terminal.err))
  if (terminal.isJson) terminal.printJson({ schemaVersion, command, ok: false, exitCode, error: serialized })
  return exitCode
}

/** What the engine cannot know: which flags there are. */
const hints: Readonly<Record<string, string>> = {
  IDENTITY_MISSING: 'Give --identity FILE, or --passphrase-file FILE.',
  LOCKED: 'Another run is at work on this database. Wait longer with --wait 10m.',
}

async function failureOf(
  error: unknown,
): Promise<{ readonly serialized: SerializedError; readonly exitCode: ExitCode }> {
  if (error instanceof CliError) return error
  const { serializeError } = await import('@sqlite-backup/core')
  const plain = serializeError(error)
  const hint = plain.hint ?? hints[plain.code]
  const serialized = hint === undefined ? plain : { ...plain, hint }
  return { serialized, exitCode: exitCodeOf(serialized.code) }
}
