import type { RestorePlan, RestoreResult } from '@sqlite-backup/core'
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
        ['size', formatBytes(manifest.plain.sizeBytes)],
        ['disk', `needs ${formatBytes(plan.needsBytes)} of ${formatBytes(plan.freeBytes)} free`],
      ],
      style,
    ),
    ...plan.notes.flatMap((note) =>
      wrap(note, columns - 4).map((line, at) => `  ${at === 0 ? style.warn(symbols.warning) : ' '} ${line}`),
    ),
  ]
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
