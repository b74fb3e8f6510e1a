import type { EngineFlags, OpenedEngine } from './open-engine.ts'
import type { Terminal } from './terminal.ts'

/** Flags that every command knows. */
export interface GlobalFlags {
  readonly config?: string
  readonly json?: true
  readonly quiet?: true
  readonly timeout?: string
}

/** What a command finds when it runs. */
export interface CommandContext {
  readonly terminal: Terminal
  /** Aborted by Ctrl+C, SIGTERM and `--timeout`. */
  readonly signal: AbortSignal
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  readonly now: () => number
  /** From now on signals are the command's own affair, and abort nothing. */
  leaveSignals(): void
  /** Opens the engine, which is closed when the command ends. Its events become progress or JSON lines. */
  openEngine(flags: EngineFlags): Promise<OpenedEngine>
}

/** How a command ended: the same facts for programs and for people. */
export interface Outcome {
  /** One of `exitCodes`, or that of the program it ran. */
  readonly exitCode: number
  /** The signal that ended the program it ran: this one ends by it, too. */
  readonly endedBy?: NodeJS.Signals | undefined
  /** `result` of the JSON object. */
  readonly json: object
  /** For stdout. */
  readonly lines: readonly string[]
  /** For stdout with `--quiet`. @default none */
  readonly quietLines?: readonly string[]
}

/** How the process ends. */
export type Ending = Pick<Outcome, 'exitCode' | 'endedBy'>

/** Runs one command from its flags to its exit code. */
export type RunCommand = (
  name: string,
  flags: GlobalFlags,
  execute: (context: CommandContext) => Promise<Outcome>,
) => Promise<void>
