import type { Status, StorageStatus } from '@sqlite-backup/core'
import { formatAge, formatMoment, oneUnit } from './ages.ts'
import { formatBytes } from './bytes.ts'
import { type Style, symbols } from './style.ts'
import { renderTable } from './table.ts'

const columns = [
  { title: 'database' },
  { title: 'storage' },
  { title: 'health' },
  { title: 'newest' },
  { title: 'verified' },
  { title: 'tier' },
  { title: 'size', align: 'right' },
] as const

/** One row per database and storage, and under the table why something is not healthy. */
export function renderStatus(status: Status, style: Style): readonly string[] {
  const rows = status.databases.flatMap(({ database, storages }) =>
    storages.map((storage) => [style.bold(database), ...cellsOf(storage, status.at, style)]),
  )
  if (rows.length === 0) return renderProblems(status, style)
  return [
    ...renderTable(columns, rows, style),
    ...renderProblems(status, style),
    ...status.databases.flatMap(({ database, next }) =>
      next === undefined
        ? []
        : [style.dim(`  ${database}: next run ${formatMoment(next.at)} (${next.job}), while the app runs.`)],
    ),
    ...stopLines(status, style),
    ...status.warnings.map((warning) => `  ${style.warn(symbols.warning)} ${warning}`),
  ]
}

/** What a stop of the app does first, where an app is configured whose schedules make the backups. */
function stopLines({ databases, stop }: Status, style: Style): readonly string[] {
  if (databases.every(({ next }) => next === undefined)) return []
  const text =
    stop.backup === false
      ? 'no last backup when the app stops (stop.backup is false).'
      : `when the app stops, a last backup if something has changed, within ${oneUnit(stop.deadlineMs)}.`
  return [style.dim(`  stop: ${text}`)]
}

/** A line per problem. */
export function renderProblems(status: Status, style: Style): readonly string[] {
  if (status.databases.length === 0) return [`${style.bad(symbols.bad)} There are no backups.`]
  return status.databases.flatMap(({ database, storages }) =>
    storages.flatMap(({ storage, healthy, problems, offsite }) => {
      const symbol = healthy ? style.warn(symbols.warning) : style.bad(symbols.bad)
      const near = offsite
        ? []
        : [
            `  ${style.warn(symbols.warning)} ${database}, ${storage}: on the disk the database is on, so no off-site copy.`,
          ]
      return [...problems.map((problem) => `  ${symbol} ${database}, ${storage}: ${problem}`), ...near]
    }),
  )
}

function cellsOf({ storage, healthy, newest }: StorageStatus, at: string, style: Style): readonly string[] {
  const health = healthy ? style.good('healthy') : style.bad('UNHEALTHY')
  if (newest === undefined) return [storage, health, 'none', '', '', '']
  const verified =
    newest.verifiedAt === undefined ? '' : ` ${formatAge(Date.parse(at) - Date.parse(newest.verifiedAt))}`
  return [
    storage,
    health,
    formatAge(newest.ageMs),
    `${newest.level}${verified}`,
    newest.tier,
    formatBytes(newest.storedSizeBytes),
  ]
}
