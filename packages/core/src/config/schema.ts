import { z } from 'zod'
import { tiers } from '../catalog/manifest.ts'
import { whyBadDatabaseName } from '../catalog/names.ts'
import { isBackupError } from '../errors.ts'
import type { Logger } from '../events.ts'
import type { Storage } from '../storage/storage.ts'
import type { Config } from './config.ts'
import { options } from './defaults.ts'
import type { RetentionConfig } from './retention.ts'
import { parseSchedule, requireTimeZone } from './schedule-text.ts'
import { isSecret, type Secret } from './secret.ts'
import { type Duration, parseDuration, parseSize, type Size } from './units.ts'

const about = <T extends z.ZodType>(path: keyof typeof options, type: T): T => type.describe(options[path]?.about ?? '')

const secret = z.custom<Secret>(isSecret, "should be env('NAME')")
const envReference = z.strictObject({
  env: z.string().min(1).describe('The name of an environment variable.'),
  optional: z.boolean().optional().describe('Whether it may be missing.'),
})
const fromEnvironment = z.union([envReference, secret])
const text = z.union([z.string().min(1, 'should not be empty'), envReference, secret])

const duration = z.string().superRefine(whatParses(parseDuration)) as unknown as z.ZodType<Duration>
const size = z.string().superRefine(whatParses(parseSize)) as unknown as z.ZodType<Size>

const schedule = z.string().superRefine(whatParses((value) => parseSchedule(value)))
const timeZone = z.string().superRefine(whatParses(requireTimeZone))
const nameOrNames = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)])
const count = z.int().min(0)
const keepRule = z.union([duration, count, z.null()])
const rule = z.union([keepRule, z.array(keepRule)])

const storageMethods = ['put', 'get', 'head', 'list', 'delete', 'fencing'] as const
const storage = z.custom<Storage>((value) => hasFunctions(value, storageMethods), 'should be a storage')
const logger = z.custom<Logger>(
  (value) => hasFunctions(value, ['debug', 'info', 'warn', 'error']),
  'should be a logger with debug, info, warn and error',
)

const databaseName = z.string().superRefine((name, context) => {
  const reason = whyBadDatabaseName(name)
  if (reason !== undefined) context.addIssue({ code: 'custom', message: `is no name for a database: ${reason}` })
})
const storageName = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'is no name for a storage: use letters, digits, "-" and "_"')

const jobName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'is no name for a job: use letters, digits, "-" and "_"')

const job = z.strictObject({
  database: about('jobs.*.database', nameOrNames).optional(),
  schedule: about('jobs.*.schedule', schedule),
  timeZone: about('jobs.*.timeZone', timeZone).optional(),
  to: about('jobs.*.to', nameOrNames).optional(),
  require: about('jobs.*.require', z.enum(['all', 'any'])).optional(),
  ifChanged: about('jobs.*.ifChanged', z.boolean()).optional(),
  jitter: about('jobs.*.jitter', duration).optional(),
})

const retention = z.strictObject({
  keepLast: about('retention.keepLast', count.nullable()).optional(),
  ...Object.fromEntries(tiers.map((tier) => [tier, about(`retention.${tier}`, rule).optional()])),
}) as unknown as z.ZodType<RetentionConfig>

/** What a config file, a flag or the environment may say. */
export const configSchema = z.strictObject({
  databases: about(
    'databases',
    z.record(
      databaseName,
      about(
        'databases.*',
        z.union([
          text,
          z.strictObject({
            path: about('databases.*.path', text),
            spool: about('databases.*.spool', z.string().min(1)).optional(),
          }),
        ]),
      ),
    ),
  ).optional(),
  storages: about('storages', z.record(storageName, about('storages.*', z.union([text, storage])))).optional(),
  require: about('require', z.enum(['all', 'any'])).optional(),
  compression: about(
    'compression',
    z.strictObject({
      format: about('compression.format', z.enum(['zst', 'gz', 'none'])).optional(),
      level: about('compression.level', z.int().min(1).max(19)).optional(),
    }),
  ).optional(),
  encryption: about(
    'encryption',
    z.strictObject({
      recipients: about(
        'encryption.recipients',
        z.array(z.string().regex(/^age1/, 'should be an age recipient (age1…)')).min(1),
      ).optional(),
      passphrase: about('encryption.passphrase', fromEnvironment).optional(),
      identities: about('encryption.identities', z.union([fromEnvironment, z.array(fromEnvironment)])).optional(),
      identityFile: about('encryption.identityFile', text).optional(),
    }),
  ).optional(),
  verify: about(
    'verify',
    z.strictObject({
      afterBackup: about('verify.afterBackup', z.enum(['stored', 'checked', 'proven'])).optional(),
      schedule: about('verify.schedule', z.union([z.literal(false), schedule])).optional(),
    }),
  ).optional(),
  jobs: about(
    'jobs',
    z.union([z.literal(false), z.record(jobName, about('jobs.*', z.union([z.literal(false), job])))]),
  ).optional(),
  retention: about('retention', z.union([z.literal([false, 'default']), retention])).optional(),
  health: about(
    'health',
    z.strictObject({ maxAge: about('health.maxAge', z.union([z.literal(false), duration])).optional() }),
  ).optional(),
  notify: about('notify', z.strictObject({ heartbeat: about('notify.heartbeat', text).optional() })).optional(),
  restore: about('restore', z.union([z.enum(['if-missing', 'if-behind']), z.literal(false)])).optional(),
  onMissingBackup: about('onMissingBackup', z.enum(['start-empty', 'fail'])).optional(),
  stop: about(
    'stop',
    z.strictObject({
      backup: about('stop.backup', z.union([z.literal('if-changed'), z.literal(false)])).optional(),
      deadline: about('stop.deadline', duration).optional(),
    }),
  ).optional(),
  environment: about('environment', text).optional(),
  appVersion: about('appVersion', text).optional(),
  profile: about('profile', z.enum(['auto', 'default', 'small'])).optional(),
  maxPin: about('maxPin', duration).optional(),
  maxBlock: about('maxBlock', duration).optional(),
  spool: about(
    'spool',
    z.strictObject({
      dir: about('spool.dir', z.string().min(1)).optional(),
      reserve: about('spool.reserve', size).optional(),
    }),
  ).optional(),
  log: about('log', z.union([logger, z.literal(false)])).optional(),
}) satisfies z.ZodType<Config>

function whatParses(parse: (text: string) => unknown) {
  return (value: string, context: z.RefinementCtx<string>): void => {
    try {
      parse(value)
    } catch (error) {
      if (!isBackupError(error, 'CONFIG_INVALID')) throw error
      context.addIssue({ code: 'custom', message: `should be right: ${error.message} ${error.hint ?? ''}` })
    }
  }
}

function hasFunctions(value: unknown, names: readonly string[]): boolean {
  return (
    typeof value === 'object' && value !== null && names.every((name) => typeof Reflect.get(value, name) === 'function')
  )
}
