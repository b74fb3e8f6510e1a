import type { BackupResult, SerializedError, Tier } from '@sqlite-backup/core'
import { Command, Option } from 'commander'
import { usageError } from '../cli-error.ts'
import type { CommandContext, GlobalFlags, Outcome, RunCommand } from '../command.ts'
import { exitCodeOf, exitCodes } from '../exit-codes.ts'
import { flags as shared } from '../flags.ts'
import { listOption, withExamples } from '../help.ts'
import type { OpenedEngine } from '../open-engine.ts'
import { readDuration } from '../read-duration.ts'
import { renderBackup } from '../render/backup.ts'
import { renderError } from '../render/error.ts'

interface BackupFlags extends GlobalFlags {
  readonly to?: readonly string[]
  readonly db?: string
  readonly name?: string
  readonly tier: Tier | 'scheduled'
  readonly ifChanged?: true
  readonly recipient?: readonly string[]
  readonly passphraseFile?: string
  readonly wait?: string
  readonly dryRun?: true
}

export function backupCommand(run: RunCommand): Command {
  const command = new Command('backup')
    .summary('make a backup now')
    .description('Makes a whole, self-contained backup, while the database is in use. Writers do not wait.')
    .argument('[database]', 'a configured database, or a file (default: all that are configured)')
    .addOption(shared.to())
    .addOption(new Option('--db <name>', "name to store it under (default: the file's base name)"))
    .option('--name <name>', 'a name to find this backup by')
    .addOption(
      new Option('--tier <tier>', 'how long to keep it')
        .choices(['manual', 'scheduled', 'recent', 'hourly', 'daily', 'weekly', 'monthly', 'yearly', 'milestone'])
        .default('manual'),
    )
    .option('--if-changed', 'do nothing when it is as it was at the last backup')
    .addOption(listOption('--recipient <age1…>', 'encrypt for this age recipient; repeatable'))
    .addOption(new Option('--passphrase-file <file>', 'encrypt with the passphrase in this file'))
    .option('--wait <duration>', 'how long to wait for another run on the same database (default: 60s)')
    .addOption(shared.dryRun())
    .action((database: string | undefined, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<BackupFlags>()
      return run('backup', flags, (context) => backup(database, flags, context))
    })
  return withExamples(command, [
    ['One file, without a config', 'sqlite-backup backup ./app.db --to ./backups'],
    ['To S3; credentials come from the environment', 'sqlite-backup backup ./app.db --to s3://bucket/prefix'],
    ['Everything that is configured', 'sqlite-backup backup'],
    ['With a name, before something risky', 'sqlite-backup backup app --name before-import'],
    ['From cron', 'sqlite-backup backup --tier scheduled --if-changed --quiet'],
  ])
}

async function backup(database: string | undefined, flags: BackupFlags, context: CommandContext): Promise<Outcome> {
  const opened = await context.openEngine({
    target: database,
    db: flags.db,
    to: flags.to,
    recipients: flags.recipient,
    passphraseFile: flags.passphraseFile,
  })
  const names = opened.chosen.database === undefined ? opened.engine.databases : [opened.chosen.database]
  if (names.length === 0) {
    throw usageError(
      'Which database?',
      'Name a file: `sqlite-backup backup ./app.db --to ./backups`. Or write a config: `sqlite-backup init`.',
    )
  }
  const wait = flags.wait === undefined ? {} : { lockWaitMs: await readDuration('--wait', flags.wait) }
  const outcomes: DatabaseOutcome[] = []
  for (const name of names) {
    outcomes.push(await backupOne(name, names.length === 1, opened, { ...flags, ...wait }, context))
    context.signal.throwIfAborted()
  }
  return outcomeOf(outcomes, opened.places, context)
}

type DatabaseOutcome =
  | { readonly database: string; readonly result: BackupResult }
  | { readonly database: string; readonly error: SerializedError }

/** One database's failure does not keep the others from their backups; a single one's is the command's. */
async function backupOne(
  database: string,
  isOnly: boolean,
  { engine, to }: OpenedEngine,
  flags: BackupFlags & { readonly lockWaitMs?: number },
  { signal, terminal }: CommandContext,
): Promise<DatabaseOutcome> {
  const { serializeError } = await import('@sqlite-backup/core')
  try {
    const result = await engine.backup(database, {
      tier: flags.tier,
      ...(to === undefined ? {} : { to }),
      ...(flags.name === undefined ? {} : { name: flags.name }),
      ...(flags.lockWaitMs === undefined ? {} : { lockWaitMs: flags.lockWaitMs }),
      ifChanged: flags.ifChanged ?? false,
      dryRun: flags.dryRun ?? false,
      trigger: 'manual',
      signal,
    })
    return { database, result }
  } catch (error) {
    if (isOnly || signal.aborted) throw error
    const serialized = serializeError(error)
    terminal.printError([`${database}:`, ...renderError(serialized, terminal.errColumns, terminal.err)])
    return { database, error: serialized }
  }
}

function outcomeOf(
  outcomes: readonly DatabaseOutcome[],
  places: OpenedEngine['places'],
  { terminal }: CommandContext,
): Outcome {
  const failed = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome.error] : []))
  const done = outcomes.flatMap((outcome) => ('result' in outcome ? [outcome] : []))
  return {
    exitCode: failed[0] === undefined ? exitCodes.ok : exitCodeOf(failed[0].code),
    json: { backups: outcomes.map((outcome) => ({ ...outcome })) },
    lines: done.flatMap(({ database, result }) => renderBackup(database, result, places, terminal.out)),
    quietLines: done.flatMap(({ result }) =>
      result.outcome === 'planned' || result.outcome === 'off' ? [] : [result.id],
    ),
  }
}
