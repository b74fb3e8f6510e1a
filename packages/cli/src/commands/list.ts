import type { BackupList, Tier } from '@sqlite-backup/core'
import { Command, Option } from 'commander'
import { CliError } from '../cli-error.ts'
import type { CommandContext, GlobalFlags, Outcome, RunCommand } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { type ReadFlags, flags as shared, tiers } from '../flags.ts'
import { withExamples } from '../help.ts'
import type { OpenedEngine } from '../open-engine.ts'
import { parseMoment } from '../parse-moment.ts'
import { renderDatabases, renderList } from '../render/list.ts'

interface ListFlags extends GlobalFlags, ReadFlags {
  readonly tier?: Tier
  readonly name?: string
  readonly since?: string
  readonly until?: string
  readonly limit: number
  readonly cursor?: string
}

export function listCommand(run: RunCommand): Command {
  const command = new Command('list')
    .alias('ls')
    .summary('list backups, newest first')
    .description('Lists backups, newest first. Where a storage holds several databases, it names them.')
    .argument('[database]', 'the same as --db')
    .addOption(shared.from())
    .addOption(shared.db())
    .addOption(new Option('--tier <tier>', 'only this tier').choices(tiers))
    .option('--name <name>', 'only backups of this name')
    .option('--since <time>', 'only from then on: 2026-11-20, 2026-11-20T14:00Z, or 7d ago')
    .option('--until <time>', 'only up to then')
    .addOption(shared.limit())
    .option('--cursor <cursor>', 'go on where the page before ended')
    .action((database: string | undefined, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<ListFlags>()
      return run('list', flags, (context) => list({ ...flags, db: flags.db ?? database }, context))
    })
  return withExamples(command, [
    ['All there is in a folder', 'sqlite-backup list --from ./backups'],
    ['Last week, daily ones only', 'sqlite-backup list app --since 7d --tier daily'],
    ['Ids alone, for scripts', 'sqlite-backup list app --quiet'],
  ])
}

async function list(flags: ListFlags, context: CommandContext): Promise<Outcome> {
  const { terminal, signal, now } = context
  const opened = await context.openEngine({ db: flags.db, from: flags.from })
  const { engine, chosen } = opened
  const databases = await databasesIn(opened, signal)
  const [only, ...others] = databases
  if (only === undefined) {
    terminal.say(`There are no backups in ${[...opened.places.values()].join(', ')}.`)
    return { exitCode: exitCodes.ok, json: { databases: [] }, lines: [] }
  }
  if (others.length > 0) return await listDatabases(databases, opened, context)

  const options = {
    ...chosen,
    limit: flags.limit,
    marks: true,
    signal,
    ...(flags.tier === undefined ? {} : { tier: flags.tier }),
    ...(flags.name === undefined ? {} : { name: flags.name }),
    ...(flags.since === undefined ? {} : { since: await parseMoment(flags.since, now()) }),
    ...(flags.until === undefined ? {} : { until: await parseMoment(flags.until, now()) }),
    ...(flags.cursor === undefined ? {} : { cursor: flags.cursor }),
  }
  const page = await engine.list(only, options)
  if (page.items.length === 0) {
    const others = await engine.listDatabases({ ...chosen, signal })
    if (!others.includes(only)) return noneOf(only, page, others, opened, context)
    terminal.say(`There are no such backups of ${only} in ${page.storage}.`)
  }
  return {
    exitCode: exitCodes.ok,
    json: page,
    lines: renderList(page, now(), terminal.out),
    quietLines: page.items.map(({ id }) => id),
  }
}

/** A name in the config may have no backup yet; any other is a slip. */
function noneOf(
  database: string,
  page: BackupList,
  others: readonly string[],
  { engine }: OpenedEngine,
  { terminal }: CommandContext,
): Outcome {
  const message = `There are no backups of ${database} in ${page.storage}.`
  const hint = others.length === 0 ? 'It holds no backups at all.' : `It holds backups of ${others.join(', ')}.`
  if (!engine.databases.includes(database)) {
    throw new CliError({ code: 'BACKUP_NOT_FOUND', message, hint }, exitCodes.nothingToRestore)
  }
  terminal.say(`${message} ${hint}`)
  return { exitCode: exitCodes.ok, json: page, lines: [] }
}

/** The one that is meant, or all that the storage holds: a configured one may be missing there, and others may be there. */
async function databasesIn({ engine, chosen }: OpenedEngine, signal: AbortSignal): Promise<readonly string[]> {
  if (chosen.database !== undefined) return [chosen.database]
  return await engine.listDatabases({ ...chosen, signal })
}

/** The newest of each, so that one can choose. */
async function listDatabases(
  databases: readonly string[],
  { engine, chosen }: OpenedEngine,
  { terminal, signal, now }: CommandContext,
): Promise<Outcome> {
  const pages: BackupList[] = []
  for (const database of databases) pages.push(await engine.list(database, { ...chosen, database, limit: 1, signal }))
  const newest = pages.map(({ database, items }) => ({ database, newest: items[0] }))
  return {
    exitCode: exitCodes.ok,
    json: { storage: pages[0]?.storage, databases: newest },
    lines: renderDatabases(pages, now(), terminal.out),
    quietLines: databases,
  }
}
