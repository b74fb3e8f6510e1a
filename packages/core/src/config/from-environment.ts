import { BackupError, messageOf } from '../errors.ts'
import type { Config } from './config.ts'
import { databaseFile, databaseNameOf } from './database-path.ts'
import { options, variables } from './defaults.ts'
import { type Environment, env } from './secret.ts'
import { suggestName } from './suggest-name.ts'
import { validateConfig } from './validate-config.ts'

/** What the environment says about backups. */
export interface EnvironmentConfig {
  /** `SQLITE_BACKUP_…`: meant for us, so it comes before the config file. */
  readonly own: Config
  /** The platform's and the app's own variables: they only fill what nothing else says. */
  readonly ambient: Config
  /** The variable behind each option that was set, for both. */
  readonly variableOf: ReadonlyMap<string, string>
  /** False with `SQLITE_BACKUP=off`. */
  readonly enabled: boolean
  readonly configFile?: string
  readonly restoreOnce?: string
  readonly warnings: readonly string[]
}

/**
 * Where the platforms put a bucket and the keys to it, in the order in which they are looked at; in each list the first
 * that is set counts. Both must be there: a bucket's name alone may be that of another kind of store.
 */
export const bucketVariables: readonly { readonly bucket: readonly string[]; readonly keys: readonly string[] }[] =
  Object.freeze([
    { bucket: ['BUCKET_NAME', 'BUCKET'], keys: ['BUCKET_ACCESS_KEY_ID'] },
    {
      bucket: ['BUCKET_NAME', 'AWS_S3_BUCKET_NAME', 'AWS_BUCKET_NAME', 'AWS_BUCKET', 'S3_BUCKET'],
      keys: [
        'AWS_ACCESS_KEY_ID',
        'AWS_WEB_IDENTITY_TOKEN_FILE',
        'AWS_PROFILE',
        'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
      ],
    },
    { bucket: ['R2_BUCKET', 'R2_BUCKET_NAME'], keys: ['R2_ACCESS_KEY_ID'] },
    { bucket: ['B2_BUCKET', 'B2_BUCKET_NAME'], keys: ['B2_APPLICATION_KEY_ID', 'B2_KEY_ID'] },
    { bucket: ['TIGRIS_STORAGE_BUCKET'], keys: ['TIGRIS_STORAGE_ACCESS_KEY_ID'] },
  ])
/** Where an app's database is found. */
export const databaseVariables = Object.freeze(['DATABASE_PATH', 'DATABASE_URL'])
/** A bucket found like this belongs to the app too: ours is a folder in it. */
export const bucketPrefix = 'sqlite-backup'
/** The name of the storage that comes from the environment. */
const environmentStorage = 'main'

/** @throws BackupError `CONFIG_INVALID` with the variable's name */
export function fromEnvironment(environment: Environment, cwd: string): EnvironmentConfig {
  const variableOf = new Map<string, string>()
  const read = (path: string, name = options[path]?.variable): string | undefined => {
    const value = name === undefined ? undefined : environment[name]?.trim()
    if (name === undefined || value === undefined || value === '') return undefined
    variableOf.set(path, name)
    return value
  }

  const database = read('databases')
  const storage = read('storages')
  const level = read('compression.level')
  const recipients = read('encryption.recipients')
  const secret = (path: string) => (read(path) === undefined ? undefined : env(variableOf.get(path) ?? ''))
  const raw = {
    databases: database === undefined ? undefined : namedDatabase(database, cwd),
    storages: storage === undefined ? undefined : { [environmentStorage]: storage },
    require: read('require'),
    compression: present({
      format: read('compression.format'),
      level: level === undefined || Number.isNaN(Number(level)) ? level : Number(level),
    }),
    encryption: present({
      recipients: recipients?.split(/[\s,]+/).filter((each) => each !== ''),
      passphrase: secret('encryption.passphrase'),
      identities: secret('encryption.identities'),
      identityFile: read('encryption.identityFile'),
    }),
    verify: present({
      afterBackup: read('verify.afterBackup'),
      schedule: offOr(read('verify.schedule')),
    }),
    jobs: jobsOf(offOr(read('jobs'))),
    retention: retentionOf(offOr(read('retention'))),
    health: present({ maxAge: offOr(read('health.maxAge')) }),
    notify: present({ heartbeat: secret('notify.heartbeat') }),
    restore: offOr(read('restore')),
    onMissingBackup: read('onMissingBackup'),
    stop: present({ backup: offOr(read('stop.backup')), deadline: read('stop.deadline') }),
    environment: read('environment'),
    appVersion: read('appVersion'),
    profile: read('profile'),
    maxPin: read('maxPin'),
    maxBlock: read('maxBlock'),
    spool: present({ dir: read('spool.dir'), reserve: read('spool.reserve') }),
  }
  const nameOf = (path: string): string | undefined => variableOf.get(path) ?? variableOf.get(path.split('.')[0] ?? '')
  const own = validateConfig(present(raw) ?? {}, { source: 'the environment', nameOf })
  const configFile = environment.SQLITE_BACKUP_CONFIG?.trim()
  const restoreOnce = environment.SQLITE_BACKUP_RESTORE?.trim()
  return {
    own,
    ambient: ambientConfig(environment, cwd, own, variableOf),
    variableOf,
    enabled: isEnabled(environment.SQLITE_BACKUP),
    ...(configFile ? { configFile } : {}),
    ...(restoreOnce ? { restoreOnce } : {}),
    warnings: unknownVariables(environment),
  }
}

function ambientConfig(environment: Environment, cwd: string, own: Config, variableOf: Map<string, string>): Config {
  const databaseVariable = databaseVariables.find((name) => isLocalDatabase(environment[name], cwd))
  const bucketVariable = bucketVariableIn(environment)
  const databases = own.databases === undefined && databaseVariable !== undefined
  const storages = own.storages === undefined && bucketVariable !== undefined
  if (databases) variableOf.set('databases', databaseVariable)
  if (storages) variableOf.set('storages', bucketVariable)
  return {
    ...(databases ? { databases: namedDatabase(environment[databaseVariable] ?? '', cwd) } : {}),
    ...(storages
      ? { storages: { [environmentStorage]: `s3://${environment[bucketVariable]?.trim()}/${bucketPrefix}` } }
      : {}),
  }
}

function bucketVariableIn(environment: Environment): string | undefined {
  const isSet = (name: string): boolean => (environment[name]?.trim() ?? '') !== ''
  const family = bucketVariables.find(({ bucket, keys }) => bucket.some(isSet) && keys.some(isSet))
  return family?.bucket.find(isSet)
}

/** The job that is named by its schedule alone. */
const environmentJob = 'scheduled'

function jobsOf(schedule: string | false | undefined): unknown {
  return schedule === undefined || schedule === false ? schedule : { [environmentJob]: { schedule } }
}

/** `default`, `off`, or the object as JSON. */
function retentionOf(value: string | false | undefined): unknown {
  if (typeof value !== 'string' || !value.startsWith('{')) return value
  try {
    return JSON.parse(value)
  } catch (cause) {
    throw new BackupError('CONFIG_INVALID', `SQLITE_BACKUP_RETENTION is not JSON: ${messageOf(cause)}`, { cause })
  }
}

/** `false` has no other way into a variable. */
function offOr(value: string | undefined): string | false | undefined {
  return value?.toLowerCase() === 'off' || value?.toLowerCase() === 'false' ? false : value
}

/** A `DATABASE_URL` may well be a Postgres; then it is not ours. */
function isLocalDatabase(value: string | undefined, cwd: string): boolean {
  return value !== undefined && value !== '' && !value.includes(':memory:') && databaseFile(value, cwd) !== undefined
}

function namedDatabase(text: string, cwd: string): Record<string, string> {
  return { [databaseNameOf(databaseFile(text, cwd) ?? text)]: text }
}

function isEnabled(value: string | undefined): boolean {
  const word = value?.trim().toLowerCase() ?? ''
  if (['', 'on', '1', 'true', 'yes'].includes(word)) return true
  if (['off', '0', 'false', 'no'].includes(word)) return false
  throw new BackupError('CONFIG_INVALID', `SQLITE_BACKUP should be "on" or "off", not ${JSON.stringify(value)}.`)
}

/** A misspelt variable would be ignored without a word. It is no error: another package of the suite may know it. */
function unknownVariables(environment: Environment): readonly string[] {
  const known = [...Object.values(options).flatMap(({ variable }) => variable ?? []), ...Object.keys(variables)]
  return Object.keys(environment)
    .filter((name) => name.startsWith('SQLITE_BACKUP_') && !known.includes(name))
    .map((name) => {
      const near = suggestName(name, known)
      return `Nothing reads the environment variable ${name}.${near === undefined ? '' : ` Did you mean ${near}?`}`
    })
}

/** Without what is undefined; undefined when nothing is left. */
function present(values: Readonly<Record<string, unknown>>): Record<string, unknown> | undefined {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined)
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}
