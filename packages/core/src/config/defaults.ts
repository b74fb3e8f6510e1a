import type { Tier } from '../catalog/manifest.ts'

/** Every default there is: code, docs/configuration.md, the JSON schema and `config check` all take them from here. */
export const defaults = Object.freeze({
  require: 'all',
  compression: Object.freeze({ format: 'zst', level: Object.freeze({ zst: 1, gz: 6, none: 0 }) }),
  verify: Object.freeze({ afterBackup: 'stored', schedule: 'every 1d' }),
  jobs: Object.freeze({ hourly: Object.freeze({ schedule: 'every 1h' }) }),
  job: Object.freeze({ timeZone: 'UTC', ifChanged: true, jitter: '30s' }),
  // In force once `retention` is stated, for what it leaves out. `null` is for ever.
  retention: Object.freeze({
    keepLast: 1,
    recent: '24h',
    hourly: '7d',
    daily: '30d',
    weekly: '90d',
    monthly: '366d',
    yearly: null,
    manual: '30d',
    'pre-migration': '30d',
    'pre-restore': '7d',
    shutdown: '7d',
    milestone: '366d',
  }),
  health: Object.freeze({ maxAge: '26h' }),
  restore: 'if-missing',
  onMissingBackup: 'start-empty',
  stop: Object.freeze({ backup: 'if-changed', deadline: '4s' }),
  profile: 'auto',
  maxPin: '5s',
  maxBlock: '500ms',
  spool: Object.freeze({ dir: '.sqlite-backup', reserve: '64MiB', reserveFraction: 0.05 }),
  log: false,
} as const)

export interface OptionFacts {
  /** What may be written. */
  readonly type: string
  /** The default in words. Absent: there is none. */
  readonly default?: string
  /** One sentence for the manual. */
  readonly about: string
  /** The environment variable that sets it. */
  readonly variable?: string
}

const retentionOf = (tier: Tier, which: string): OptionFacts => ({
  type: 'a duration, a number, `null`, or a list of them',
  default: defaults.retention[tier] === null ? '`null`' : `\`${defaults.retention[tier]}\``,
  about: `How long ${which} are kept.`,
})

/** Every option by its path, in the order of the manual; `*` stands for a name the user chooses. */
export const options: Readonly<Record<string, OptionFacts>> = Object.freeze({
  databases: {
    type: 'an object',
    about: 'The databases, by name. The name is part of every key in a storage, so it should not change.',
    variable: 'SQLITE_BACKUP_DB',
  },
  'databases.*': {
    type: 'a path or an object',
    about: 'The path of the SQLite file, or an object with the options below.',
  },
  'databases.*.path': { type: 'a path', about: 'The SQLite file. A relative path starts at the config file.' },
  'databases.*.spool': {
    type: 'a path',
    default: `\`${defaults.spool.dir}/<file>\` beside the database`,
    about: 'Folder for the local files of this database alone.',
  },
  storages: {
    type: 'an object',
    about: 'Where backups go, by name. The order is the order in which a restore asks them.',
    variable: 'SQLITE_BACKUP_TO',
  },
  'storages.*': {
    type: 'an adapter or a URL',
    about: 'An adapter (`s3({ … })`, `filesystem({ … })`), a URL (`s3://bucket/prefix`) or a folder (`./backups`).',
  },
  require: {
    type: '`all` or `any`',
    default: `\`${defaults.require}\``,
    about: 'Whether a backup succeeded when all storages have it, or when one has.',
    variable: 'SQLITE_BACKUP_REQUIRE',
  },
  compression: { type: 'an object', about: 'How backups are packed.' },
  'compression.format': {
    type: '`zst`, `gz` or `none`',
    default: `\`${defaults.compression.format}\``,
    about: 'zstd in seekable frames, gzip, or the database file as it is.',
    variable: 'SQLITE_BACKUP_COMPRESSION',
  },
  'compression.level': {
    type: 'a number',
    default: `\`${defaults.compression.level.zst}\` for zst, \`${defaults.compression.level.gz}\` for gz`,
    about: '1 to 19 for zst, 1 to 9 for gz. Higher is smaller and slower.',
    variable: 'SQLITE_BACKUP_LEVEL',
  },
  encryption: { type: 'an object', about: 'Who can open backups. Without it: everybody who can read the storage.' },
  'encryption.recipients': {
    type: 'a list of text',
    about:
      'age recipients (`age1…`). Each of them can open every backup; this machine cannot, unless it has an identity.',
    variable: 'SQLITE_BACKUP_RECIPIENTS',
  },
  'encryption.passphrase': {
    type: '`env()`',
    about: 'A passphrase instead of recipients. Only from the environment.',
    variable: 'SQLITE_BACKUP_PASSPHRASE',
  },
  'encryption.identities': {
    type: '`env()` or a list of it',
    about:
      'age identities (`AGE-SECRET-KEY-1…`), needed where backups are restored or proven. Only from the environment.',
    variable: 'SQLITE_BACKUP_IDENTITY',
  },
  'encryption.identityFile': {
    type: 'a path',
    about: 'A file of age identities, as `age-keygen` writes it.',
    variable: 'SQLITE_BACKUP_IDENTITY_FILE',
  },
  verify: { type: 'an object', about: 'How backups are checked.' },
  'verify.afterBackup': {
    type: '`stored`, `checked` or `proven`',
    default: `\`${defaults.verify.afterBackup}\``,
    about:
      'Checked before a backup counts as done: the store has it; its bytes were read back and hashed; it was restored and SQLite looked at it.',
    variable: 'SQLITE_BACKUP_VERIFY',
  },
  restore: {
    type: '`if-missing`, `if-behind` or `false`',
    default: `\`${defaults.restore}\``,
    about:
      'What a start does: restores a database that is missing; also one that has not changed since a backup that others built on; nothing.',
    variable: 'SQLITE_BACKUP_RESTORE_AT_START',
  },
  onMissingBackup: {
    type: '`start-empty` or `fail`',
    default: `\`${defaults.onMissingBackup}\``,
    about: 'What a start does when a database is missing and every storage says that it has no backup of it.',
    variable: 'SQLITE_BACKUP_ON_MISSING_BACKUP',
  },
  stop: { type: 'an object', about: 'What happens when the app stops.' },
  'stop.backup': {
    type: '`if-changed` or `false`',
    default: `\`${defaults.stop.backup}\``,
    about: 'A last backup when something changed since the one before, or none.',
    variable: 'SQLITE_BACKUP_STOP_BACKUP',
  },
  'stop.deadline': {
    type: 'a duration',
    default: `a little less than the platform allows, \`${defaults.stop.deadline}\` where it is not known`,
    about:
      'How long a stop may take, the last backup included. What is not stored by then waits in the spool for the next start.',
    variable: 'SQLITE_BACKUP_STOP_DEADLINE',
  },
  'verify.schedule': {
    type: 'a schedule or `false`',
    default: `\`${defaults.verify.schedule}\``,
    about: 'When the newest backup of each storage is read back and hashed.',
    variable: 'SQLITE_BACKUP_VERIFY_SCHEDULE',
  },
  jobs: {
    type: 'an object or `false`',
    default: 'a job `hourly`',
    about: 'When backups are made, by name. `false`: only when somebody asks for one.',
    variable: 'SQLITE_BACKUP_SCHEDULE',
  },
  'jobs.*': { type: 'an object or `false`', about: 'One schedule, with the options below.' },
  'jobs.*.database': { type: 'a name or a list', default: 'all', about: 'Which databases.' },
  'jobs.*.schedule': {
    type: 'a schedule',
    about: "Cron, like `17 * * * *`, or `every 5m`, which is what `every('5m')` gives.",
  },
  'jobs.*.timeZone': {
    type: 'a time zone',
    default: `\`${defaults.job.timeZone}\``,
    about: 'In which cron is meant, like `Europe/Berlin`.',
  },
  'jobs.*.to': { type: 'a name or a list', default: 'all', about: 'Which storages.' },
  'jobs.*.require': {
    type: '`all` or `any`',
    default: '`require`',
    about: 'Whether a run succeeded when all of its storages have the backup, or when one has.',
  },
  'jobs.*.ifChanged': {
    type: '`true` or `false`',
    default: `\`${defaults.job.ifChanged}\``,
    about: 'Make no new backup while nothing has changed since the last one.',
  },
  'jobs.*.jitter': {
    type: 'a duration',
    default: `\`${defaults.job.jitter}\``,
    about:
      'A run starts up to this much later, at most a tenth of the time between runs, so that many apps do not start at once.',
  },
  retention: {
    type: 'an object, `default` or `false`',
    about:
      'How long backups are kept, by tier. Until it is stated, nothing is ever deleted. `default` is this table; `false` keeps all and says that this is meant.',
    variable: 'SQLITE_BACKUP_RETENTION',
  },
  'retention.keepLast': {
    type: 'a number or `null`',
    default: `\`${defaults.retention.keepLast}\``,
    about: 'How many of the newest are kept, whatever their tier.',
  },
  'retention.recent': retentionOf('recent', 'backups between the hourly ones'),
  'retention.hourly': retentionOf('hourly', 'the first of each hour'),
  'retention.daily': retentionOf('daily', 'the first of each day'),
  'retention.weekly': retentionOf('weekly', 'the first of each week'),
  'retention.monthly': retentionOf('monthly', 'the first of each month'),
  'retention.yearly': retentionOf('yearly', 'the first of each year'),
  'retention.manual': retentionOf('manual', 'backups that somebody asked for'),
  'retention.pre-migration': retentionOf('pre-migration', 'backups made before a migration'),
  'retention.pre-restore': retentionOf('pre-restore', 'copies of what a restore replaced'),
  'retention.shutdown': retentionOf('shutdown', 'backups made when the app stopped'),
  'retention.milestone': retentionOf('milestone', 'milestones'),
  health: { type: 'an object', about: 'When a database counts as unhealthy.' },
  'health.maxAge': {
    type: 'a duration or `false`',
    default: `\`${defaults.health.maxAge}\``,
    about: 'Oldest the newest backup may be. A database that was seen unchanged since is as fresh as that look.',
    variable: 'SQLITE_BACKUP_MAX_AGE',
  },
  notify: { type: 'an object', about: 'Who is told.' },
  'notify.heartbeat': {
    type: 'a URL',
    about:
      'Hears of every backup: with `/start` when it begins, as it is when it succeeded, with `/fail` when it failed. Treated as a secret.',
    variable: 'HEARTBEAT_URL',
  },
  environment: {
    type: 'text',
    about:
      'Like `production`, written into each backup. An engine of another environment does not write to the same place.',
    variable: 'SQLITE_BACKUP_ENV',
  },
  appVersion: {
    type: 'text',
    about: 'The version of your app, like a git commit, written into each backup.',
    variable: 'SQLITE_BACKUP_APP_VERSION',
  },
  profile: {
    type: '`auto`, `default` or `small`',
    default: `\`${defaults.profile}\``,
    about: 'How much memory may be used. `auto` is `small` when the machine, or its container, has 512 MiB or less.',
    variable: 'SQLITE_BACKUP_PROFILE',
  },
  maxPin: {
    type: 'a duration',
    default: `\`${defaults.maxPin}\``,
    about:
      'Longest a backup may keep SQLite from recycling its WAL. If more is expected, it copies to the spool first and compresses later.',
    variable: 'SQLITE_BACKUP_MAX_PIN',
  },
  maxBlock: {
    type: 'a duration',
    default: `\`${defaults.maxBlock}\``,
    about:
      'Longest a database in rollback-journal mode may be locked against writers. If more is expected, the backup is refused.',
    variable: 'SQLITE_BACKUP_MAX_BLOCK',
  },
  spool: { type: 'an object', about: 'Our own files on local disk, on their way up.' },
  'spool.dir': {
    type: 'a path',
    default: `\`${defaults.spool.dir}\` beside each database`,
    about: 'Folder for local files; each database gets a folder in it.',
    variable: 'SQLITE_BACKUP_SPOOL',
  },
  'spool.reserve': {
    type: 'a size',
    default: `\`${defaults.spool.reserve}\`, or ${defaults.spool.reserveFraction * 100} % of the volume if that is more`,
    about: 'What always stays free on the volume of the spool.',
    variable: 'SQLITE_BACKUP_RESERVE',
  },
  log: {
    type: 'a logger or `false`',
    default: `\`${defaults.log}\``,
    about: 'A logger of pino’s shape, like `pino()` or `fastify.log`.',
  },
})

/** Variables that are no option of the config file. */
export const variables: Readonly<Record<string, string>> = Object.freeze({
  SQLITE_BACKUP: '`off` switches everything off, for tests and builds.',
  SQLITE_BACKUP_CONFIG: 'The config file, instead of looking for one.',
  SQLITE_BACKUP_RESTORE: 'The id, name or time that the next start should restore, once.',
})
