import { BackupError } from '../errors.ts'
import type { JobConfig, ResolvedJob } from './config.ts'
import { defaults } from './defaults.ts'
import { parseSchedule } from './schedule-text.ts'
import { suggestName } from './suggest-name.ts'
import { parseDuration } from './units.ts'

export interface KnownNames {
  /** Those there are. */
  readonly names: readonly string[]
  /** Those a job may name without being wrong. Absent: any, because what there is was said elsewhere, like by a flag. */
  readonly allowed?: readonly string[]
}

/** @throws BackupError `CONFIG_INVALID` */
export function resolveJobs(
  jobs: false | Readonly<Record<string, false | JobConfig>>,
  known: { readonly databases: KnownNames; readonly storages: KnownNames; readonly require: 'all' | 'any' },
): readonly ResolvedJob[] {
  return Object.entries(jobs === false ? {} : jobs).flatMap(([name, job]) => {
    if (job === false) return []
    const { schedule, timeZone, jitter, ifChanged, require } = job
    const to = job.to === undefined ? undefined : chosen(`jobs.${name}.to`, job.to, known.storages, 'storage')
    return [
      {
        name,
        databases:
          job.database === undefined
            ? known.databases.names
            : chosen(`jobs.${name}.database`, job.database, known.databases, 'database'),
        schedule: parseSchedule(schedule, timeZone ?? defaults.job.timeZone),
        // Told to go elsewhere than its storages, it goes to all there are.
        ...(to === undefined || to.length === 0 ? {} : { to }),
        require: require ?? known.require,
        ifChanged: ifChanged ?? defaults.job.ifChanged,
        jitterMs: parseDuration(jitter ?? defaults.job.jitter),
      },
    ]
  })
}

function chosen(
  path: string,
  stated: string | readonly string[],
  { names, allowed }: KnownNames,
  what: string,
): readonly string[] {
  const wanted = typeof stated === 'string' ? [stated] : stated
  const unknown = allowed === undefined ? undefined : wanted.find((each) => !allowed.includes(each))
  if (unknown !== undefined && allowed !== undefined) {
    const near = suggestName(unknown, allowed)
    throw new BackupError(
      'CONFIG_INVALID',
      `${path} names the ${what} "${unknown}", and there is none.${near === undefined ? '' : ` Did you mean "${near}"?`}`,
      { hint: allowed.length === 0 ? `No ${what} is configured.` : `There are: ${allowed.join(', ')}.` },
    )
  }
  return wanted.filter((each) => names.includes(each))
}
