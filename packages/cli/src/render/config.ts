import type { Origin, ResolvedConfig } from '@sqlite-backup/core'
import { formatDuration, oneUnit } from './ages.ts'
import { formatBytes } from './bytes.ts'
import { type Style, symbols } from './style.ts'
import { renderTable } from './table.ts'

/** One decided value. */
export interface ConfigValue {
  /** As in the config file, like `compression.level`. */
  readonly option: string
  /** For people. Secrets are shown as the name of their variable. */
  readonly value: string
  readonly from: Origin['from']
  /** Which variable, flag or file. */
  readonly detail?: string
}

/** Every value that is in force, with its origin. */
export function describeConfig(config: ResolvedConfig): readonly ConfigValue[] {
  const { databases, storages, compression, encryption, keys, profile, reserve } = config
  const values: readonly (readonly [option: string, value: string | undefined, origin?: string])[] = [
    ...databases.map(({ name, path }) => [`databases.${name}`, path, 'databases'] as const),
    ...storages.map(({ name, storage }) => [`storages.${name}`, storage.name, 'storages'] as const),
    ['require', config.require],
    ['compression.format', compression.format],
    ['compression.level', String(compression.level)],
    ['encryption.recipients', encryption && 'recipients' in encryption ? encryption.recipients.join(', ') : undefined],
    ['encryption.passphrase', keys.passphrase && String(keys.passphrase)],
    ['encryption.identities', keys.identities.length === 0 ? undefined : keys.identities.map(String).join(', ')],
    ['encryption.identityFile', keys.identityFile],
    ['verify.afterBackup', config.verify.afterBackup],
    ['verify.schedule', config.verify.schedule?.text ?? 'off'],
    ...(config.jobs.length === 0 ? [['jobs', 'none'] as const] : []),
    ...config.jobs.map((job) => [`jobs.${job.name}`, jobText(job), 'jobs'] as const),
    ...retentionValues(config),
    ['health.maxAge', config.health.maxAgeMs === undefined ? 'any' : formatDuration(config.health.maxAgeMs)],
    // Whoever has the URL can silence the alarm.
    ['notify.heartbeat', config.notify.heartbeat === undefined ? 'none' : 'set, not shown'],
    ['environment', config.environment],
    ['appVersion', config.appVersion],
    ['profile', profile.name],
    ['maxPin', formatDuration(config.maxPinMs)],
    ['maxBlock', formatDuration(config.maxBlockMs)],
    ...databases.map(({ name, spoolDir }) => [`databases.${name}.spool`, spoolDir, 'spool.dir'] as const),
    ['spool.reserve', reserveText(reserve)],
    ['log', config.log === undefined ? 'off' : 'on'],
  ]
  return values.flatMap(([option, value, origin = option]) =>
    value === undefined ? [] : [{ option, value, from: 'default' as const, ...config.origins.get(origin) }],
  )
}

function jobText({ schedule, databases, to, ifChanged }: ResolvedConfig['jobs'][number]): string {
  return [
    schedule.kind === 'cron' ? `${schedule.text} ${schedule.timeZone}` : schedule.text,
    ...(databases.length === 0 ? [] : [databases.join(', ')]),
    ...(to === undefined ? [] : [`to ${to.join(', ')}`]),
    ifChanged ? 'if changed' : 'always',
  ].join('; ')
}

function retentionValues({ retention }: ResolvedConfig) {
  if (retention === undefined) return [['retention', 'nothing is deleted', 'retention'] as const]
  const keepLast = retention.keepLast === null ? 'for ever' : String(retention.keepLast)
  return [
    ['retention.keepLast', keepLast, 'retention'] as const,
    ...Object.entries(retention.tiers).map(
      ([tier, rule]) => [`retention.${tier}`, ruleText(rule), 'retention'] as const,
    ),
  ]
}

function ruleText({ ageMs, count }: { readonly ageMs: number | null; readonly count: number | null }): string {
  if (ageMs === null || count === null) return 'for ever'
  const parts = [...(ageMs === 0 ? [] : [oneUnit(ageMs)]), ...(count === 0 ? [] : [`the newest ${count}`])]
  return parts.length === 0 ? 'none' : parts.join(', or ')
}

/** All values in a table, and what is missing. */
export function renderConfig(config: ResolvedConfig, style: Style): readonly string[] {
  const rows = describeConfig(config).map(({ option, value, from, detail }) => [
    from === 'default' ? style.dim(option) : option,
    from === 'default' ? style.dim(value) : value,
    originText({ from, ...(detail === undefined ? {} : { detail }) }, config, style),
  ])
  const missing = [
    ...(config.databases.length === 0 ? ['No database is configured.'] : []),
    ...(config.storages.length === 0 ? ['No storage is configured: nothing can be backed up.'] : []),
    ...(config.enabled ? [] : ['SQLITE_BACKUP=off switches everything off.']),
  ]
  return [
    ...(config.file === undefined ? [] : [`${style.good(symbols.good)} ${config.file}`, '']),
    ...renderTable([{ title: 'option' }, { title: 'value' }, { title: 'from' }], rows, style),
    ...missing.map((text) => `${style.warn(symbols.warning)} ${text}`),
  ]
}

function originText({ from, detail }: Origin, config: ResolvedConfig, style: Style): string {
  if (from === 'default') return style.dim('default')
  if (from === 'env') return detail ?? 'environment'
  // The file is named above the table.
  return detail === undefined || detail === config.file ? from : `${from} ${detail}`
}

function reserveText({ bytes, fraction }: ResolvedConfig['reserve']): string {
  return fraction === 0 ? formatBytes(bytes) : `${formatBytes(bytes)}, or ${fraction * 100} % if that is more`
}
