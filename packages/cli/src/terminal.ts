import { printable } from './render/printable.ts'
import { createNoProgress, createProgressBars, createProgressLines, type Progress } from './render/progress.ts'
import { createStyle, type Style, symbols } from './render/style.ts'

/** Where a command writes: results to stdout, all else to stderr. */
export interface Terminal {
  /** Colours for stdout. */
  readonly out: Style
  /** Colours for stderr. */
  readonly err: Style
  /** Width of stdout and stderr, where they are terminals; a log has lines of any length. */
  readonly outColumns: number
  readonly errColumns: number
  readonly isJson: boolean
  readonly isQuiet: boolean
  /** There is a person who can answer. */
  readonly canAsk: boolean
  readonly progress: Progress
  /** A line for people, on stderr. Nothing with `--quiet` or `--json`. */
  say(text: string): void
  /** Something a person should know though it goes on. Nothing with `--quiet` or `--json`. */
  warn(text: string): void
  /** Lines on stdout. */
  print(lines: readonly string[]): void
  /** One line of JSON on stdout. */
  printJson(value: object): void
  /** Always on stderr. */
  printError(lines: readonly string[]): void
}

export interface TerminalOptions {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly env: NodeJS.ProcessEnv
  readonly now: () => number
  readonly isJson: boolean
  readonly isQuiet: boolean
}

export function createTerminal(options: TerminalOptions): Terminal {
  const { stdin, stdout, stderr, env, now, isJson, isQuiet } = options
  const err = createStyle(stderr)
  const isSilent = isJson || isQuiet
  const progressOptions = {
    write: (text: string) => void stderr.write(text),
    now,
    style: err,
    columns: () => stderr.columns || 80,
  }
  const canRedraw = stderr.isTTY && env.TERM !== 'dumb'
  const progress = isSilent
    ? createNoProgress(progressOptions)
    : canRedraw
      ? createProgressBars(progressOptions)
      : createProgressLines(progressOptions)
  return {
    out: createStyle(stdout),
    err,
    outColumns: columnsOf(stdout),
    errColumns: columnsOf(stderr),
    isJson,
    isQuiet,
    canAsk: stdin.isTTY && canRedraw && !isJson,
    progress,
    say(text) {
      if (!isSilent) progress.print(printable(text))
    },
    warn(text) {
      if (!isSilent) progress.print(`${err.warn(symbols.warning)} ${printable(text)}`)
    },
    print(lines) {
      progress.stop()
      if (lines.length > 0) stdout.write(`${printable(lines.join('\n'))}\n`)
    },
    printJson(value) {
      stdout.write(`${JSON.stringify(value)}\n`)
    },
    printError(lines) {
      progress.stop()
      stderr.write(`${printable(lines.join('\n'))}\n`)
    },
  }
}

function columnsOf(stream: NodeJS.WriteStream): number {
  return stream.isTTY ? stream.columns || 80 : Number.POSITIVE_INFINITY
}
