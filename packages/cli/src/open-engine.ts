import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Config, ResolvedConfig, SqliteBackup } from '@sqlite-backup/core'
import { CliError, usageError } from './cli-error.ts'
import { exitCodeOf } from './exit-codes.ts'
import { isAddress, isDatabaseFile, nameStorages } from './names-and-addresses.ts'
import { resolveOwnPackages } from './resolve-own-packages.ts'

/** What the flags of a command say about databases, storages and keys. */
export interface EngineFlags {
  /** `--config` */
  readonly config?: string | undefined
  /** What to back up: the name of a configured database, or a file. */
  readonly target?: string | undefined
  /** `--db`: a name, or a file. */
  readonly db?: string | undefined
  readonly to?: readonly string[] | undefined
  readonly from?: string | undefined
  readonly recipients?: readonly string[] | undefined
  readonly identity?: string | undefined
  readonly passphraseFile?: string | undefined
  /** Typed by a person just now. */
  readonly passphrase?: string | undefined
}

/** An engine, and what the flags chose of what it knows. */
export interface OpenedEngine {
  readonly engine: SqliteBackup
  /** For the options of the engine's calls. */
  readonly chosen: { readonly database?: string; readonly from?: string }
  /** Path of each configured database, by its name. */
  readonly files: ReadonlyMap<string, string>
  /** What each storage is, by its name: `filesystem /mnt/backups`, `s3 bucket/prefix`. */
  readonly places: ReadonlyMap<string, string>
  /** Names of the storages to write to; undefined for all. */
  readonly to?: readonly string[]
  /** What was odd in the environment. */
  readonly warnings: readonly string[]
  /** The config file, when there is one. */
  readonly file?: string
  /** Config, environment or a flag has a passphrase. */
  readonly hasPassphrase: boolean
}

export interface Surroundings {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
}

/** Reads flags, environment and config file, in this order, and opens the engine. */
export async function openEngine(flags: EngineFlags, surroundings: Surroundings): Promise<OpenedEngine> {
  const { createEngine, databaseNameOf } = await import('@sqlite-backup/core')
  const config = await resolveFlags(flags, surroundings)
  const database = databaseNamed(flags, databaseNameOf, surroundings)
  const names = storagesOf(flags).filter((storage) => !isAddress(storage))
  requireConfigured(names, config)
  requireFolder(flags.from, config)
  return {
    engine: createEngine(config),
    chosen: {
      ...(database === undefined ? {} : { database }),
      ...(flags.from === undefined || isAddress(flags.from) ? {} : { from: flags.from }),
    },
    ...(flags.to === undefined || names.length === 0 ? {} : { to: names }),
    files: new Map(config.databases.map(({ name, path }) => [name, path])),
    places: new Map(config.storages.map(({ name, storage }) => [name, storage.name])),
    warnings: config.warnings,
    ...(config.file === undefined ? {} : { file: config.file }),
    hasPassphrase: config.keys.passphrase !== undefined,
  }
}

/** The config that is in force with these flags. */
export async function resolveFlags(flags: EngineFlags, { cwd, env }: Surroundings): Promise<ResolvedConfig> {
  const { databaseNameOf, resolveConfig } = await import('@sqlite-backup/core')
  resolveOwnPackages()
  const passphrase = flags.passphrase ?? passphraseIn(flags.passphraseFile, cwd)
  return await resolveConfig({
    cwd,
    file: flags.config,
    flags: configOf(flags, databaseNameOf, cwd),
    environment: passphrase === undefined ? env : { ...env, SQLITE_BACKUP_PASSPHRASE: passphrase },
  })
}

type NameOf = (file: string) => string

function configOf(flags: EngineFlags, nameOf: NameOf, cwd: string): Config {
  const file = [flags.target, flags.db].find((each) => each !== undefined && isFileHere(each, cwd))
  const addresses = storagesOf(flags).filter(isAddress)
  if (addresses.length > 0 && addresses.length < storagesOf(flags).length) {
    throw usageError(`Storages are given by name or by address, not both: ${storagesOf(flags).join(', ')}.`)
  }
  const encryption = {
    ...(flags.recipients === undefined ? {} : { recipients: flags.recipients }),
    ...(flags.identity === undefined ? {} : { identityFile: flags.identity }),
  }
  return {
    ...(file === undefined ? {} : { databases: { [databaseNamed(flags, nameOf, { cwd }) ?? nameOf(file)]: file } }),
    ...(addresses.length === 0 ? {} : { storages: nameStorages(addresses) }),
    ...(Object.keys(encryption).length === 0 ? {} : { encryption }),
  }
}

function storagesOf({ to, from }: EngineFlags): readonly string[] {
  return to ?? (from === undefined ? [] : [from])
}

/** `--db` names the file that is given beside it; alone, either means a database. */
function databaseNamed(
  { target, db }: EngineFlags,
  nameOf: NameOf,
  { cwd }: Pick<Surroundings, 'cwd'>,
): string | undefined {
  const name = db ?? target
  return name !== undefined && isFileHere(name, cwd) ? nameOf(name) : name
}

function isFileHere(database: string, cwd: string): boolean {
  return isDatabaseFile(database, (path) => existsSync(resolve(cwd, path)))
}

/** A word that is no storage in the config is more likely a slip than a new folder. */
function requireConfigured(names: readonly string[], { enabled, storages }: ResolvedConfig): void {
  if (!enabled) return
  const known = storages.map(({ name }) => name)
  for (const name of names) {
    if (known.includes(name)) continue
    const others = known.length === 0 ? 'None is configured.' : `Configured: ${known.join(', ')}.`
    throw usageError(`There is no storage "${name}" in the config.`, `${others} If it is a folder, write ./${name}`)
  }
}

/** What is read must be there: an empty answer about a folder that is not would be believed. */
function requireFolder(from: string | undefined, { storages }: ResolvedConfig): void {
  if (from === undefined || !isAddress(from)) return
  for (const { localDir } of storages.map(({ storage }) => storage)) {
    if (localDir === undefined || existsSync(localDir)) continue
    const message = `There is no folder ${localDir}.`
    const hint = 'Look for a slip in the path, or whether the volume is mounted.'
    throw new CliError({ code: 'STORAGE_MISSING', message, hint }, exitCodeOf('STORAGE_MISSING'))
  }
}

function passphraseIn(file: string | undefined, cwd: string): string | undefined {
  if (file === undefined) return undefined
  let text: string
  try {
    text = readFileSync(resolve(cwd, file), 'utf8')
  } catch (error) {
    throw usageError(`The passphrase file ${file} cannot be read: ${(error as Error).message}`)
  }
  const passphrase = text.replace(/\r?\n$/, '')
  if (passphrase === '') throw usageError(`The passphrase file ${file} is empty.`)
  return passphrase
}
