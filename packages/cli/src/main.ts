import { readFileSync } from 'node:fs'
import { CommanderError } from 'commander'
import { usageError } from './cli-error.ts'
import type { Ending } from './command.ts'
import { exitCodes } from './exit-codes.ts'
import { buildProgram } from './program.ts'
import { printFailure, runCommand } from './run-command.ts'
import { createTerminal } from './terminal.ts'

// Before anything asks whether there are colours, help included.
if (process.argv.includes('--no-color')) {
  const { env } = process
  env.NO_COLOR = '1'
  delete env.FORCE_COLOR
}

// `sqlite-backup list | head -1`: nobody reads on, and that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCodes.ok)
  throw error
})
// A terminal that was closed, a log that is read no more: what is at work goes on to its end.
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
})

const { exitCode, endedBy } = await main(process.argv.slice(2))
// An idle connection kept alive by a storage's client must not keep the command from ending.
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))))
if (endedBy !== undefined) await endBy(endedBy)
process.exit(exitCode)

/** Reads the command line, runs it, returns how to end. */
async function main(args: readonly string[]): Promise<Ending> {
  let ending: Ending = { exitCode: exitCodes.ok }
  const program = buildProgram(readVersion(), async (name, flags, execute) => {
    ending = await runCommand(name, flags, execute)
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return ending
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return { exitCode: exitCodes.ok }
    // The help was printed because there was no command.
    if (error instanceof CommanderError && error.code === 'commander.help') return { exitCode: exitCodes.usage }
    return { exitCode: await printFailure(commandOf(args), asUsageError(error), errorTerminal(args)) }
  }
}

/** Returns when the signal does not end this process: process 1 has no default actions. From other signals a core file could come. */
async function endBy(signal: NodeJS.Signals): Promise<void> {
  if (!['SIGTERM', 'SIGINT', 'SIGHUP'].includes(signal) || process.pid === 1) return
  process.kill(process.pid, signal)
  await new Promise((resolve) => setTimeout(resolve, 1000))
}

function asUsageError(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error
  const [message = '', ...suggestion] = error.message.replace(/^error: /, '').split('\n')
  const sentence = `${message.charAt(0).toUpperCase()}${message.slice(1).replace(/\.+$/, '')}.`
  const hint = suggestion.join(' ').replace(/^\((.*)\)$/, '$1')
  return usageError(sentence, hint === '' ? 'Run `sqlite-backup --help`, or `sqlite-backup <command> --help`.' : hint)
}

function commandOf(args: readonly string[]): string {
  return args.find((arg) => !arg.startsWith('-')) ?? ''
}

function errorTerminal(args: readonly string[]) {
  const { stdin, stdout, stderr, env } = process
  return createTerminal({ stdin, stdout, stderr, env, now: Date.now, isJson: args.includes('--json'), isQuiet: false })
}

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return version
}
