import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Command } from 'commander'
import { usageError } from '../cli-error.ts'
import type { CommandContext, GlobalFlags, Outcome, RunCommand } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { flags as shared } from '../flags.ts'
import { withExamples } from '../help.ts'
import { type ConfigChoices, configTemplate } from '../init/config-template.ts'
import { type FoundDatabase, findDatabases } from '../init/find-databases.ts'
import { type FoundStorage, findStorages } from '../init/find-storages.ts'
import { formatBytes } from '../render/bytes.ts'
import { symbols } from '../render/style.ts'

interface InitFlags extends GlobalFlags {
  readonly to?: readonly string[]
  readonly dryRun?: true
  readonly yes?: true
}

const fileName = 'sqlite-backup.config.mts'

export function initCommand(run: RunCommand): Command {
  const command = new Command('init')
    .summary('write a config file for what is here')
    .description(
      'Looks for databases in this folder and for a bucket in the environment, asks, and writes a commented sqlite-backup.config.mts. An existing config is never overwritten.',
    )
    .addOption(shared.to())
    .addOption(shared.dryRun())
    .addOption(shared.yes())
    .action((_flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<InitFlags>()
      return run('init', flags, (context) => init(flags, context))
    })
  return withExamples(command, [
    ['Ask, then write', 'sqlite-backup init'],
    ['Without questions', 'sqlite-backup init --yes'],
    ['With a bucket', 'sqlite-backup init --to s3://bucket/prefix'],
  ])
}

async function init(flags: InitFlags, context: CommandContext): Promise<Outcome> {
  const { terminal, cwd, env } = context
  refuseToOverwrite(cwd)
  const found = findDatabases(cwd, { env })
  const storages = storagesOf(flags.to, findStorages(env))
  const mayAsk = terminal.canAsk && !flags.yes && !flags.dryRun
  if (found.length === 0 && !mayAsk) {
    throw usageError(
      'There is no SQLite database in this folder or below.',
      'Run it where the app is, or on a terminal.',
    )
  }
  const choices = mayAsk ? await askForChoices(found, storages, context) : { databases: originals(found), storages }
  const text = configTemplate(choices)
  const json = { file: join(cwd, fileName), ...choices, text }
  if (flags.dryRun) return { exitCode: exitCodes.ok, json, lines: [text.trimEnd()], quietLines: [text.trimEnd()] }
  if (!mayAsk && !flags.yes) {
    terminal.print(terminal.isJson || terminal.isQuiet ? [] : [text.trimEnd()])
    throw usageError(`${fileName} was not written: nobody is here to say yes.`, 'Run it again with --yes.')
  }
  writeConfig(join(cwd, fileName), text)
  const leftOut = mayAsk ? [] : found.filter((each) => !originals(found).includes(each)).map(({ path }) => path)
  if (leftOut.length > 0) terminal.say(`Left out ${leftOut.join(', ')}: a copy, by the name. Add it if it is not.`)
  return { exitCode: exitCodes.ok, json, lines: writtenLines(choices, context), quietLines: [join(cwd, fileName)] }
}

function writeConfig(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx' })
  } catch (error) {
    throw usageError(
      `${file} cannot be written: ${(error as Error).message}`,
      'Print it with --dry-run, and save it where it may be.',
    )
  }
}

/** Without those that are copies by their name, unless there is nothing else. */
function originals(found: readonly FoundDatabase[]): readonly FoundDatabase[] {
  const wanted = found.filter(({ isCopy }) => !isCopy)
  return wanted.length === 0 ? found : wanted
}

function refuseToOverwrite(cwd: string): void {
  const existing = readdirSync(cwd).find((name) => /^sqlite-backup\.config\.[a-z]+$/.test(name))
  if (existing === undefined) return
  throw usageError(
    `There is a config already: ${existing}.`,
    'It is left as it is. `sqlite-backup config check` shows what it comes to.',
  )
}

const localFolder = { name: 'local', url: './backups' }

function storagesOf(to: readonly string[] | undefined, found: readonly FoundStorage[]): ConfigChoices['storages'] {
  if (to === undefined) return [localFolder, ...found.map(({ name, url }) => ({ name, url }))]
  const counts = new Map<string, number>()
  return to.map((url) => {
    const kind = /^[a-z0-9]+:\/\//.test(url) ? 'offsite' : 'local'
    const count = (counts.get(kind) ?? 0) + 1
    counts.set(kind, count)
    return { name: count === 1 ? kind : `${kind}${count}`, url }
  })
}

async function askForChoices(
  found: readonly FoundDatabase[],
  storages: ConfigChoices['storages'],
  context: CommandContext,
): Promise<ConfigChoices> {
  const { askText, chooseSome, confirm } = await import('../ask.ts')
  const databases = await chooseDatabases()
  const chosenStorages = await chooseStorages()
  context.terminal.say(`\n${configTemplate({ databases, storages: chosenStorages }).trimEnd()}\n`)
  await confirm(`Write ${fileName}?`, true, context)
  return { databases, storages: chosenStorages }

  async function chooseDatabases(): Promise<ConfigChoices['databases']> {
    if (found.length === 0) {
      const path = await askText('There is no SQLite database here. Where will it be?', './data/app.db', context)
      return [{ name: 'app', path }]
    }
    const choices = found.map(({ path, sizeBytes, from }) => ({
      value: path,
      label: path,
      hint: from === context.cwd ? formatBytes(sizeBytes) : `${formatBytes(sizeBytes)}, from ${from}`,
    }))
    const likely = originals(found).map(({ path }) => path)
    const chosen = await chooseSome('Which databases?', choices, likely, context)
    return found.filter(({ path }) => chosen.includes(path))
  }

  async function chooseStorages(): Promise<ConfigChoices['storages']> {
    const other = 's3'
    const choices = [
      ...storages.map(({ url }) => ({ value: url, label: url, hint: url.startsWith('s3://') ? 'S3' : 'a folder' })),
      { value: other, label: 'another S3 bucket', hint: 'AWS, R2, B2, Railway, Tigris, MinIO, Ceph' },
    ]
    const all = storages.map(({ url }) => url)
    const chosen = await chooseSome('Where should backups go?', choices, all, context)
    const known = storages.filter(({ url }) => chosen.includes(url))
    if (!chosen.includes(other)) return known
    const url = await askText('Which bucket?', 's3://bucket/prefix', context)
    return [...known, { name: known.some(({ name }) => name === 'offsite') ? 'offsite2' : 'offsite', url }]
  }
}

function writtenLines({ databases, storages }: ConfigChoices, { cwd, terminal }: CommandContext): readonly string[] {
  const { out } = terminal
  const packages = [
    '@sqlite-backup/core',
    ...(storages.some(({ url }) => url.startsWith('s3://')) ? ['@sqlite-backup/storage-s3'] : []),
  ].filter((name) => !isInstalled(name, cwd))
  const next = [
    ...(packages.length === 0 ? [] : [`npm install ${packages.join(' ')}`]),
    'npx @sqlite-backup/cli config check',
    'npx @sqlite-backup/cli backup',
  ]
  return [
    `${out.good(symbols.good)} Wrote ${out.bold(fileName)}: ${count(databases.length, 'database')}, ${count(storages.length, 'storage')}.`,
    '',
    out.bold('Next:'),
    ...next.map((line) => `  ${out.accent(line)}`),
  ]
}

function isInstalled(name: string, cwd: string): boolean {
  const folders = createRequire(join(cwd, 'package.json')).resolve.paths(name) ?? []
  return folders.some((folder) => existsSync(join(folder, name)))
}

function count(amount: number, thing: string): string {
  return `${amount} ${thing}${amount === 1 ? '' : 's'}`
}
