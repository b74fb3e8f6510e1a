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

// `sqlite-backup backup --json | head -1`, a terminal that was closed, a log that is read no more: nobody reads on, which
// is no failure, and what is at work goes on to its end.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
  })
}

const { exitCode, endedBy } = await main(helpInOtherWords(process.argv.slice(2)))
// An idle connection kept alive by a storage's client must not keep the command from ending.
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))))
if (endedBy !== undefined) await endBy(endedBy)
process.exit(exitCode)

/** `help backup`, as git and npm have it, is `backup --help`. */
function helpInOtherWords(args: readonly string[]): readonly string[] {
  return args[0] === 'help' ? [...args.slice(1), '--help'] : args
}

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
    const command = commandOf(args)
    const isKnown = program.commands.some((each) => each.name() === command || each.aliases().includes(command))
    const help = isKnown ? `sqlite-backup ${command} --help` : 'sqlite-backup --help'
    // The flags are the other program's: `run node --inspect server.js`.
    const wantsDashes = ['run', 'guard'].includes(command) && !args.includes('--')
    const failure = asUsageError(error, wantsDashes ? `sqlite-backup ${command} -- <command>` : help)
    return { exitCode: await printFailure(command, failure, errorTerminal(args)) }
  }
}

/** Returns when the signal does not end this process: process 1 has no default actions. From other signals a core file could come. */
async function endBy(signal: NodeJS.Signals): Promise<void> {
  if (!['SIGTERM', 'SIGINT', 'SIGHUP'].includes(signal) || process.pid === 1) return
  process.kill(process.pid, signal)
  await new Promise((resolve) => setTimeout(resolve, 1000))
}

function asUsageError(error: unknown, help: string): unknown {
  if (!(error instanceof CommanderError)) return error
  const [message = '', ...suggestion] = error.message.replace(/^error: /, '').split('\n')
  const sentence = `${message.charAt(0).toUpperCase()}${message.slice(1).replace(/\.+$/, '')}.`
  const hint = suggestion.join(' ').replace(/^\((.*)\)$/, '$1')
  return usageError(sentence, hint === '' ? `Run \`${help}\`.` : hint)
}

/** The first word that is neither a flag nor the value of one. */
function commandOf(args: readonly string[]): string {
  return (
    args.find((arg, at) => !arg.startsWith('-') && !['-c', '--config', '--timeout'].includes(args[at - 1] ?? '')) ?? ''
  )
}

function errorTerminal(args: readonly string[]) {
  const { stdin, stdout, stderr, env } = process
  return createTerminal({ stdin, stdout, stderr, env, now: Date.now, isJson: args.includes('--json'), isQuiet: false })
}

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return version
}
