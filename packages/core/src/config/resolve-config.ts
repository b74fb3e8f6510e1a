import { existsSync } from 'node:fs'
import { totalmem } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { BackupError, isBackupError } from '../errors.ts'
import { followLinks } from '../spool/follow-links.ts'
import type { Storage } from '../storage/storage.ts'
import type {
  Config,
  DatabaseConfig,
  EncryptionConfig,
  EnvReference,
  Origin,
  ResolvedConfig,
  ResolvedDatabase,
  ResolvedStorage,
  Text,
} from './config.ts'
import { requireDatabaseFile } from './database-path.ts'
import { defaults } from './defaults.ts'
import { configsBeside } from './find-config.ts'
import { fromEnvironment } from './from-environment.ts'
import { loadConfig } from './load-config.ts'
import { type Profile, profileFor, profiles } from './profile.ts'
import { type KnownNames, resolveJobs } from './resolve-jobs.ts'
import { resolveRetention } from './retention.ts'
import { parseSchedule } from './schedule-text.ts'
import { bindSecret, type Environment, env, hiddenText, isSecret, type Secret } from './secret.ts'
import { decideStopDeadline, type StopDeadline } from './stop-deadline.ts'
import { openStorageUrl } from './storage-url.ts'
import { parseDuration, parseSize } from './units.ts'
import { validateConfig } from './validate-config.ts'

export interface ResolveConfigOptions {
  /** A config in code. Without it the project's config file is read, when there is one. */
  readonly config?: Config | undefined
  /** The config file, instead of looking for one. */
  readonly file?: string | undefined
  /** What was said on the command line. It comes before everything else. */
  readonly flags?: Config | undefined
  /** @default process.env */
  readonly environment?: Environment | undefined
  /** Where relative paths of flags and the environment start. @default process.cwd() */
  readonly cwd?: string | undefined
  /** The smaller of the machine's memory and its container's limit. @default as it is */
  readonly memoryBytes?: number | undefined
  /** Whether this is a Docker container. @default as it is */
  readonly isDocker?: boolean | undefined
}

/** One source of options. */
interface Layer {
  readonly from: Origin['from']
  readonly config: Config
  /** Where its relative paths start. */
  readonly dir: string
  readonly detailOf: (path: string) => string | undefined
}

async function unread(file: string): Promise<readonly string[]> {
  const others = await configsBeside(file)
  return others.length === 0 ? [] : [`${basename(file)} is read, and ${others.join(', ')} beside it is not.`]
}

/** What a layer says about one option. */
interface Found<T> {
  readonly value: T
  readonly layer: Layer
}

/**
 * Decides every option: flags before environment before config file (or code) before default, and remembers where each
 * came from.
 * @throws BackupError `CONFIG_INVALID`, `CONFIG_NOT_FOUND`, `STORAGE_ADAPTER_MISSING`
 */
export async function resolveConfig(options: ResolveConfigOptions = {}): Promise<ResolvedConfig> {
  const { environment = process.env, cwd = process.cwd() } = options
  const fromEnv = fromEnvironment(environment, cwd)
  const loaded = options.config === undefined ? await loadConfig(cwd, options.file ?? fromEnv.configFile) : undefined
  const variable = (path: string): string | undefined => fromEnv.variableOf.get(path)
  const layers: readonly Layer[] = [
    { from: 'flag', config: validateConfig(options.flags ?? {}), dir: cwd, detailOf: () => undefined },
    { from: 'env', config: fromEnv.own, dir: cwd, detailOf: variable },
    loaded === undefined
      ? { from: 'code', config: validateConfig(options.config ?? {}), dir: cwd, detailOf: () => undefined }
      : { from: 'file', config: loaded.config, dir: dirname(loaded.file), detailOf: () => loaded.file },
    { from: 'env', config: fromEnv.ambient, dir: cwd, detailOf: variable },
  ]

  const origins = new Map<string, Origin>()
  const note = (path: string, layer: Layer | undefined): void => {
    const detail = layer?.detailOf(path)
    origins.set(path, { from: layer?.from ?? 'default', ...(detail === undefined ? {} : { detail }) })
  }
  /** The first layer that says something about an option. */
  const find = <T>(path: string, get: (config: Config) => T | undefined): Found<T> | undefined => {
    for (const layer of layers) {
      const value = get(layer.config)
      if (value === undefined) continue
      note(path, layer)
      return { value, layer }
    }
    return undefined
  }
  const pick = <T>(path: string, get: (config: Config) => T | undefined, otherwise: T): T => {
    const found = find(path, get)
    if (found === undefined) note(path, undefined)
    return found === undefined ? otherwise : found.value
  }
  const textOf = (path: string, get: (config: Config) => Text | undefined): string | undefined => {
    const found = find(path, get)
    return found === undefined ? undefined : revealText(found.value, environment)
  }

  const chosen = pick('profile', (config) => config.profile, defaults.profile)
  const profile = profiles[chosen === 'auto' ? profileFor(options.memoryBytes ?? memoryOfMachine()) : chosen]
  const format = pick('compression.format', (config) => config.compression?.format, defaults.compression.format)
  const level = pick('compression.level', (config) => config.compression?.level, defaults.compression.level[format])
  if (format === 'gz' && level > 9)
    throw new BackupError('CONFIG_INVALID', 'compression.level should be 1 to 9 for gz.')
  const reserve = find('spool.reserve', (config) => config.spool?.reserve)
  if (reserve === undefined) note('spool.reserve', undefined)
  const log = pick('log', (config) => config.log, defaults.log)
  const appEnvironment = textOf('environment', (config) => config.environment)
  const appVersion = textOf('appVersion', (config) => config.appVersion)
  const encryption = encryptionOf(find, environment, profile)
  const isNamed = (options.file ?? fromEnv.configFile) !== undefined
  const warnings = [...fromEnv.warnings, ...(loaded === undefined || isNamed ? [] : await unread(loaded.file))]
  const databases = await resolveDatabases(find, environment)
  const storages = fromEnv.enabled ? await resolveStorages(find, fromEnv.ambient, environment, warnings) : []

  return {
    enabled: fromEnv.enabled,
    databases,
    storages,
    require: pick('require', (config) => config.require, defaults.require),
    compression: { format, level },
    ...encryption,
    jobs: jobsOf(
      find,
      note,
      databases,
      storages,
      pick('require', (config) => config.require, defaults.require),
    ),
    ...retentionOf(find),
    health: healthOf(pick('health.maxAge', (config) => config.health?.maxAge, defaults.health.maxAge)),
    notify: heartbeatOf(find, environment),
    verify: {
      ...verifyScheduleOf(pick('verify.schedule', (config) => config.verify?.schedule, defaults.verify.schedule)),
      afterBackup: pick('verify.afterBackup', (config) => config.verify?.afterBackup, defaults.verify.afterBackup),
    },
    restore: pick('restore', (config) => config.restore, defaults.restore),
    onMissingBackup: pick('onMissingBackup', (config) => config.onMissingBackup, defaults.onMissingBackup),
    stop: {
      backup: pick('stop.backup', (config) => config.stop?.backup, defaults.stop.backup),
      deadline: stopDeadlineOf(find, note, environment, options.isDocker ?? existsSync('/.dockerenv')),
    },
    ...(appEnvironment === undefined ? {} : { environment: appEnvironment }),
    ...(appVersion === undefined ? {} : { appVersion }),
    profile,
    maxPinMs: parseDuration(pick('maxPin', (config) => config.maxPin, defaults.maxPin)),
    maxBlockMs: parseDuration(pick('maxBlock', (config) => config.maxBlock, defaults.maxBlock)),
    reserve: {
      bytes: parseSize(reserve?.value ?? defaults.spool.reserve),
      fraction: reserve === undefined ? defaults.spool.reserveFraction : 0,
    },
    ...(fromEnv.restoreOnce === undefined ? {} : { restoreOnce: fromEnv.restoreOnce }),
    ...(log === false ? {} : { log }),
    ...(loaded === undefined ? {} : { file: loaded.file }),
    warnings,
    origins,
  }
}

function jobsOf(
  find: Find,
  note: (path: string, layer: undefined) => void,
  databases: readonly ResolvedDatabase[],
  storages: readonly ResolvedStorage[],
  require: 'all' | 'any',
): ResolvedConfig['jobs'] {
  const found = find('jobs', (config) => config.jobs)
  if (found === undefined) note('jobs', undefined)
  const known = (stated: Found<object> | undefined, names: readonly string[]): KnownNames => ({
    names,
    // Who says --db or --to names something else on purpose: only what one source says must fit together.
    ...(found !== undefined && stated?.layer === found.layer ? { allowed: Object.keys(stated.value) } : {}),
  })
  return resolveJobs(found === undefined ? defaults.jobs : found.value, {
    databases: known(
      find('databases', (config) => config.databases),
      databases.map(({ name }) => name),
    ),
    storages: known(
      find('storages', (config) => config.storages),
      storages.map(({ name }) => name),
    ),
    require,
  })
}

function retentionOf(find: Find): Pick<ResolvedConfig, 'retention'> {
  const value = find('retention', (config) => config.retention)?.value ?? false
  return value === false ? {} : { retention: resolveRetention(value === 'default' ? {} : value) }
}

function healthOf(maxAge: string | false): ResolvedConfig['health'] {
  return maxAge === false ? {} : { maxAgeMs: parseDuration(maxAge) }
}

function verifyScheduleOf(schedule: string | false): Pick<ResolvedConfig['verify'], 'schedule'> {
  return schedule === false ? {} : { schedule: parseSchedule(schedule) }
}

/** Whoever has the URL can silence the alarm, so even one that was written down is not shown. */
function heartbeatOf(find: Find, environment: Environment): ResolvedConfig['notify'] {
  const found = find('notify.heartbeat', (config) => config.notify?.heartbeat)
  if (found === undefined) return {}
  const url = revealText(found.value, environment)
  if (url === undefined) return {}
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw new BackupError('CONFIG_INVALID', 'notify.heartbeat (HEARTBEAT_URL) should be a URL of http or https.')
  }
  return { heartbeat: hiddenText('notify.heartbeat', url) }
}

type Find = <T>(path: string, get: (config: Config) => T | undefined) => Found<T> | undefined

function stopDeadlineOf(
  find: Find,
  note: (path: string, layer: undefined) => void,
  environment: Environment,
  isDocker: boolean,
): StopDeadline {
  const found = find('stop.deadline', (config) => config.stop?.deadline)
  if (found === undefined) note('stop.deadline', undefined)
  return decideStopDeadline({
    setMs: found === undefined ? undefined : parseDuration(found.value),
    environment,
    isDocker,
    pids: [process.pid, process.ppid],
  })
}

async function resolveDatabases(find: Find, environment: Environment): Promise<readonly ResolvedDatabase[]> {
  const found = find('databases', (config) => config.databases)
  const spoolDir = find('spool.dir', (config) => config.spool?.dir)
  const resolved: ResolvedDatabase[] = []
  for (const [name, value] of Object.entries(found?.value ?? {})) {
    const database = isDatabaseConfig(value) ? value : { path: value }
    const dir = found?.layer.dir ?? '.'
    const text = revealText(database.path, environment)
    // An optional variable that is not set: no such database on this machine.
    if (text === undefined) continue
    const path = await realPath(requireDatabaseFile(text, dir, name))
    const spool =
      database.spool !== undefined
        ? resolve(dir, database.spool)
        : spoolDir !== undefined
          ? join(resolve(spoolDir.layer.dir, spoolDir.value), name)
          : join(dirname(path), defaults.spool.dir, basename(path))
    resolved.push({ name, path, spoolDir: spool })
  }
  requireDistinct(resolved)
  return resolved
}

async function resolveStorages(
  find: Find,
  ambient: Config,
  environment: Environment,
  warnings: string[],
): Promise<readonly ResolvedStorage[]> {
  const found = find<Readonly<Record<string, Text | Storage>>>('storages', (config) => config.storages)
  const resolved: ResolvedStorage[] = []
  for (const [name, value] of Object.entries(found?.value ?? {})) {
    if (isStorage(value)) {
      resolved.push({ name, storage: value })
      continue
    }
    const url = revealText(value, environment)
    // An optional variable that is not set: no such storage on this machine.
    if (url === undefined) continue
    try {
      resolved.push({ name, storage: await openStorageUrl(url, { cwd: found?.layer.dir ?? '.', environment }) })
    } catch (error) {
      // Nobody asked for a bucket that only happens to be in the environment.
      if (found?.layer.config !== ambient || !isBackupError(error, 'STORAGE_ADAPTER_MISSING')) throw error
      warnings.push(`The environment names a bucket (${url}). ${error.message} ${error.hint ?? ''}`.trim())
    }
  }
  return resolved
}

function encryptionOf(
  find: Find,
  environment: Environment,
  profile: Profile,
): Pick<ResolvedConfig, 'encryption' | 'keys'> {
  // The first layer that says one of the two decides between them.
  const layer = find('encryption', ({ encryption }) => encryption?.recipients ?? encryption?.passphrase)?.layer.config
  const lock = {
    recipients: find('encryption.recipients', (config) =>
      config === layer ? config.encryption?.recipients : undefined,
    ),
    passphrase: find('encryption.passphrase', (config) =>
      config === layer ? config.encryption?.passphrase : undefined,
    ),
  }
  if (lock.recipients !== undefined && lock.passphrase !== undefined) {
    throw new BackupError('CONFIG_INVALID', 'encryption has recipients and a passphrase; age takes one or the other.', {
      hint: 'Recipients are the better choice: this machine then cannot open its own backups.',
    })
  }
  const passphrase = lock.passphrase === undefined ? undefined : secretOf(lock.passphrase.value, environment)
  const identities = find('encryption.identities', (config) => config.encryption?.identities)?.value ?? []
  const identityFile = find('encryption.identityFile', (config) => config.encryption?.identityFile)
  const file = identityFile === undefined ? undefined : revealText(identityFile.value, environment)
  return {
    ...(lock.recipients === undefined ? {} : { encryption: { recipients: lock.recipients.value } }),
    ...(passphrase === undefined ? {} : { encryption: { passphrase, workFactor: profile.workFactor } }),
    keys: {
      identities: listOf(identities).map((each) => secretOf(each, environment)),
      ...(file === undefined ? {} : { identityFile: resolve(identityFile?.layer.dir ?? '.', file) }),
      ...(passphrase === undefined ? {} : { passphrase }),
    },
  }
}

/** @throws BackupError `CONFIG_INVALID` when two databases would share their folders */
function requireDistinct(databases: readonly ResolvedDatabase[]): void {
  const taken = new Map<string, string>()
  for (const { name, path, spoolDir } of databases) {
    // Names differ in case only where the file system of the storage may not.
    for (const [what, value] of [
      ['name', name.normalize('NFC').toLowerCase()],
      ['file', path],
      ['spool', spoolDir],
    ]) {
      const other = taken.get(`${what} ${value}`)
      if (other !== undefined) {
        throw new BackupError('CONFIG_INVALID', `Databases "${other}" and "${name}" have the same ${what}.`, {
          hint: what === 'name' ? 'Names must differ in more than case.' : 'Each database is configured once.',
        })
      }
      taken.set(`${what} ${value}`, name)
    }
  }
}

/** One file has one spool, whatever links lead to it. Where its folder is still to be made, no link does. */
async function realPath(path: string): Promise<string> {
  try {
    return await followLinks(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return path
    throw error
  }
}

function revealText(value: Text, environment: Environment): string | undefined {
  return typeof value === 'string' ? value : secretOf(value, environment).reveal()
}

function secretOf(value: Secret | EnvReference, environment: Environment): Secret {
  const secret = isSecret(value) ? value : env(value.env, { optional: value.optional ?? false })
  return bindSecret(secret, environment)
}

function listOf(value: NonNullable<EncryptionConfig['identities']>): readonly (Secret | EnvReference)[] {
  return Array.isArray(value) ? value : [value as Secret | EnvReference]
}

function isDatabaseConfig(value: Text | DatabaseConfig): value is DatabaseConfig {
  return typeof value === 'object' && !isSecret(value) && 'path' in value
}

function isStorage(value: Text | Storage): value is Storage {
  return typeof value === 'object' && 'put' in value
}

function memoryOfMachine(): number {
  // 0 or a huge number when nothing limits the process.
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}
