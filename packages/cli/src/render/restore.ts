import type { ComparedTable, Comparison, RestorePlan, RestoreResult } from '@sqlite-backup/core'
import { formatAge, formatDuration, formatMoment } from './ages.ts'
import { formatBytes } from './bytes.ts'
import { type Style, symbols } from './style.ts'
import { renderFacts } from './table.ts'
import { wrap } from './text-width.ts'

const plannedTexts = {
  'new-file': 'written as a new file',
  link: 'the file is missing: the restored one appears whole',
  online: 'into the live database; apps may have it open, readers keep what they see',
  replace: 'the file is replaced; no process may have it open',
} as const

const doneTexts = {
  'new-file': 'as a new file',
  linked: 'where there was none',
  online: 'in place, while it may be in use',
  replaced: 'in place of the old file',
} as const

/** What a restore would do: the facts to say yes or no to. */
export function renderPlan(plan: RestorePlan, nowMs: number, columns: number, style: Style): readonly string[] {
  const { manifest } = plan
  const age = formatAge(nowMs - Date.parse(manifest.created))
  const kind = [manifest.tier, ...(manifest.name === undefined ? [] : [manifest.name])].join(', ')
  return [
    `Restore ${style.bold(manifest.database)}`,
    ...renderFacts(
      [
        ['backup', `${style.accent(plan.id)}  ${formatMoment(manifest.created)}, ${age} (${kind})`],
        ['from', plan.storage],
        ['target', plan.target],
        ['how', plannedTexts[plan.how]],
        ['size', sizesOf(plan)],
        [
          'pause',
          plan.pauseMs === undefined ? undefined : `writers wait for about ${Math.ceil(plan.pauseMs / 1000)} s`,
        ],
        ['disk', `needs ${formatBytes(plan.needsBytes)} of ${formatBytes(plan.freeBytes)} free`],
      ],
      style,
    ),
    ...plan.notes.flatMap((note) =>
      wrap(note, columns - 4).map((line, at) => `  ${at === 0 ? style.warn(symbols.warning) : ' '} ${line}`),
    ),
  ]
}

function sizesOf({ manifest, targetSizeBytes }: RestorePlan): string {
  const size = formatBytes(manifest.plain.sizeBytes)
  return targetSizeBytes === undefined ? size : `${formatBytes(targetSizeBytes)} now, ${size} after`
}

const schemaTexts = {
  same: '',
  changed: 'schema differs',
  goes: 'the table would be gone',
  comes: 'the table would be back',
  unknown: '',
} as const

/** What would be lost and come back, table by table. */
export function renderComparison({ isSame, tables, objects, basis }: Comparison, style: Style): readonly string[] {
  if (basis === 'recorded') {
    return tables.length === 0
      ? [style.dim('Too large to compare by itself: add --compare.')]
      : [
          style.bold('Rows after the restore, as counted when the backup was proven'),
          ...renderFacts(
            tables.map(({ name, after }) => [name, countText(after)] as const),
            style,
          ),
          style.dim('Compare them with the database by --compare.'),
        ]
  }
  if (isSame) return [`${style.good(symbols.good)} The database is as it is in the backup: nothing would be lost.`]
  return [
    style.bold('Rows now and after'),
    ...renderFacts(
      tables.map((table) => [table.name, changesOf(table)] as const),
      style,
    ),
    ...objects.map(({ type, name, schema }) => `  ${type} ${name} ${objectTexts[schema]}`),
  ]
}

const objectTexts = { changed: 'differs', goes: 'would be gone', comes: 'would be back' } as const

function changesOf(table: ComparedTable): string {
  const { now, after, rowsGoing = 0, rowsChanging = 0, rowsComing = 0, columnsGoing, columnsComing } = table
  const changes = [
    rowsGoing > 0 && `${countText(rowsGoing)} lost`,
    rowsChanging > 0 && `${countText(rowsChanging)} as they were`,
    rowsComing > 0 && `${countText(rowsComing)} back`,
    schemaTexts[table.schema],
    columnsGoing.length > 0 && `without ${columnsGoing.join(', ')}`,
    columnsComing.length > 0 && `with ${columnsComing.join(', ')}`,
  ].filter((change) => change !== false && change !== '')
  return [`${countText(now)} → ${countText(after)}`, ...(changes.length > 0 ? [changes.join(', ')] : [])].join('  ')
}

function countText(rows: number | null): string {
  return rows === null ? '–' : rows.toLocaleString('en')
}

/** What a restore came to. */
export function renderRestored(result: RestoreResult, style: Style): readonly string[] {
  const paused = result.pausedMs < 1 ? '' : `, writers waited ${formatDuration(result.pausedMs)}`
  return [
    `${style.good(symbols.good)} Restored ${style.bold(result.target)} from ${style.accent(result.id)}`,
    ...renderFacts(
      [
        ['from', result.storage],
        ['how', doneTexts[result.how]],
        ['size', formatBytes(result.sizeBytes)],
        ['took', `${formatDuration(result.durationMs)}${paused}`],
        ['before', result.safetyBackup && `backed up as ${result.safetyBackup}`],
      ],
      style,
    ),
    ...result.warnings.map((warning) => `  ${style.warn(symbols.warning)} ${warning}`),
  ]
}
