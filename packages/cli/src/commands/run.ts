import type { Logger, ResolvedConfig, SqliteBackup } from '@sqlite-backup/core'
import { Command } from 'commander'
import { becomeInit } from '../become-init.ts'
import { usageError } from '../cli-error.ts'
import type { CommandContext, GlobalFlags, Outcome, RunCommand } from '../command.ts'
import { type KeyFlags, flags as shared } from '../flags.ts'
import { listOption, withExamples } from '../help.ts'
import { listenForStop } from '../listen-for-stop.ts'
import { isAddress, isDatabaseFile } from '../names-and-addresses.ts'
import { type AppEnd, startApp } from '../start-app.ts'

interface RunFlags extends GlobalFlags, KeyFlags {
  readonly db?: string
  readonly to?: readonly string[]
}

export function runAppCommand(run: RunCommand): Command {
  const command = new Command('run')
    .summary('run an app: restore, start, schedules, last backup')
    .description(
      'Restores what is missing, starts an app, runs the schedules while it runs, passes signals on, and makes a last backup when it has ended. Ends as the app ends: with its exit code, or by its signal. Sane as process 1 of a container.',
    )
    .argument('<command...>', 'the app, after --')
    .option('--db <file>', 'without a config: the database')
    .addOption(listOption('--to <storage>', 'without a config: a folder, or s3://bucket/prefix; repeatable'))
    .addOption(shared.identity())
    .addOption(shared.passphraseFile())
    .action((words: readonly string[], _flags: unknown, self: Command) => {
      becomeInit()
      const flags = self.optsWithGlobals<RunFlags>()
      return run('run', flags, (context) => runApp(words, flags, context))
    })
  return withExamples(command, [
    ['With a config file, or the environment', 'sqlite-backup run -- node server.js'],
    ['Without', 'sqlite-backup run --db ./data/app.db --to s3://bucket/app -- node server.js'],
    ['In a Dockerfile', 'CMD ["node_modules/.bin/sqlite-backup", "run", "--", "node", "server.js"]'],
  ])
}

async function runApp(words: readonly string[], flags: RunFlags, context: CommandContext): Promise<Outcome> {
  refuseFlags(flags)
  const { createEngine } = await import('@sqlite-backup/core')
  const config = await configOf(flags, context)
  const engine = createEngine(config)
  try {
    await engine.restoreIfMissing({ signal: context.signal })
    await engine.start()
    context.signal.throwIfAborted()
    const end = await superviseApp(words, engine, config, context)
    return { exitCode: end.exitCode, endedBy: end.signal, json: {}, lines: [] }
  } finally {
    // After a restore that failed, or for an app that never was: without a backup.
    await engine.close()
  }
}

async function configOf(flags: RunFlags, { cwd, env, terminal }: CommandContext): Promise<ResolvedConfig> {
  const { stderrLogger } = await import('@sqlite-backup/core')
  const { resolveFlags } = await import('../open-engine.ts')
  const { config: file, db, to, identity, passphraseFile } = flags
  const resolved = await resolveFlags({ config: file, db, to, identity, passphraseFile }, { cwd, env })
  const stderr = stderrLogger()
  const log: Logger = resolved.log ?? (terminal.isQuiet ? { ...stderr, info: () => {} } : stderr)
  if (resolved.databases.length === 0) log.warn({}, 'No database is configured: nothing is restored or backed up.')
  return { ...resolved, log }
}

/** @throws CliError */
function refuseFlags({ json, timeout, db, to = [] }: RunFlags): void {
  if (json) throw usageError('--json is not for run: stdout is the app’s own.')
  if (timeout !== undefined) throw usageError('--timeout is not for run: an app runs as long as it runs.')
  if (db !== undefined && !isDatabaseFile(db)) {
    throw usageError(
      '--db is for a run without a config, and names a file.',
      'All configured databases are looked after.',
    )
  }
  if (!to.every(isAddress)) {
    throw usageError('--to is for a run without a config.', 'Backups go to every configured storage.')
  }
}

/** The life of the app, and its last backup. */
async function superviseApp(
  words: readonly string[],
  engine: SqliteBackup,
  config: ResolvedConfig,
  context: CommandContext,
): Promise<AppEnd> {
  const { bootedVariable, createEngine } = await import('@sqlite-backup/core')
  const backUp = (deadlineMs: number): Promise<void> => engine.close({ backup: 'if-changed', deadlineMs })
  const stop = listenForStop(engine.stopDeadlineMs, backUp)
  context.leaveSignals()
  try {
    // What `boot` does in an app, this does around it.
    const env = { ...context.env, [bootedVariable]: String(process.pid) }
    const app = await startApp({ words, cwd: context.cwd, env })
    stop.appStarted(app)
    const end = await app.ended
    const { hadLastCall } = stop.appEnded()
    if (stop.signal !== undefined) await app.sweep(stop.signal, stop.untilLastCallMs())
    await backUp(stop.leftMs())
    // It went on writing after the last call; whoever would have killed us has not.
    if (hadLastCall) await createEngine(config).close({ backup: 'if-changed' })
    return end
  } finally {
    stop.ignore()
  }
}
