import type { KeepReason, PruneEntry, PruneResult, RemoveReason, StoragePrune } from '@sqlite-backup/core'
import { formatAge, formatMoment } from './ages.ts'
import { formatBytes } from './bytes.ts'
import { type Style, symbols } from './style.ts'
import { renderTable } from './table.ts'

const SHOWN = 20

const columns = [
  { title: 'backup' },
  { title: 'made' },
  { title: 'tier' },
  { title: 'size', align: 'right' },
  { title: 'why' },
] as const

const removeTexts: Readonly<Record<RemoveReason, string>> = {
  'too-old': 'older than its tier is kept',
  'too-many': 'its tier has enough newer ones',
  'tier-keeps-none': 'its tier is not kept',
}

export const keepTexts: Readonly<Record<KeepReason, string>> = {
  newest: 'newest',
  'newest-checked': 'newest checked',
  kept: 'kept',
  fork: 'tip of a fork',
  'in-use': 'in use',
  future: 'of the future',
  unreadable: 'manifest cannot be read',
  'no-retention': 'no retention',
  'keep-last': 'keepLast',
  'tier-age': 'young enough',
  'tier-count': 'few enough',
}

/** What goes from each storage and what stays, and why. */
export function renderPrunePlan({ database, storages }: PruneResult, nowMs: number, style: Style): readonly string[] {
  return storages.flatMap((each) => {
    const title = `${style.bold(database)}, ${each.storage}: `
    if (each.outcome === 'failed') return [`${style.bad(symbols.bad)} ${title}${failureOf(each)}`]
    return [`${title}${summaryOf(each)}`, ...whyKept(each, style), ...renderRemovals(each.remove, nowMs, style)]
  })
}

/** One line for each storage: what was done. */
export function renderPruned({ database, storages }: PruneResult, style: Style): readonly string[] {
  return storages.map((each) => {
    const title = `${database}, ${each.storage}: `
    if (each.outcome === 'failed') return `${style.bad(symbols.bad)} ${title}${failureOf(each)}`
    if (each.outcome === 'announced') {
      const from = each.deletesFrom === undefined ? '' : ` after ${formatMoment(each.deletesFrom)}`
      return `${style.warn(symbols.warning)} ${title}${plural(each.remove.length)} will be deleted by a prune${from}. Delete them at once with --now.`
    }
    const { count, sizeBytes } = each.deleted
    const what =
      each.outcome === 'deleted' ? `deleted ${plural(count)}, ${formatBytes(sizeBytes)}.` : 'nothing to delete.'
    return `${style.good(symbols.good)} ${title}${what}`
  })
}

function summaryOf({ remove, kept, orphans }: StoragePrune): string {
  const going = remove.reduce((sum, { storedSizeBytes }) => sum + storedSizeBytes, 0)
  return [
    `${kept.count} stay (${formatBytes(kept.sizeBytes)})`,
    `${remove.length} go (${formatBytes(going)})`,
    ...(orphans.count === 0
      ? []
      : [`${plural(orphans.count, 'body', 'bodies')} of killed runs go (${formatBytes(orphans.sizeBytes)})`]),
  ].join(', ')
}

function whyKept({ keptBy }: StoragePrune, style: Style): readonly string[] {
  const reasons = (Object.keys(keepTexts) as KeepReason[]).flatMap((reason) => {
    const count = keptBy[reason]
    return count === undefined ? [] : [`${count} ${keepTexts[reason]}`]
  })
  return reasons.length === 0 ? [] : [style.dim(`  stay because: ${reasons.join(', ')}`)]
}

function renderRemovals(remove: readonly PruneEntry[], nowMs: number, style: Style): readonly string[] {
  if (remove.length === 0) return []
  const rows = remove
    .slice(0, SHOWN)
    .map(({ id, created, tier, storedSizeBytes, reasons }) => [
      id,
      formatAge(nowMs - Date.parse(created)),
      tier,
      formatBytes(storedSizeBytes),
      reasons.map((reason) => removeTexts[reason]).join(', '),
    ])
  const more = remove.length - rows.length
  return [
    ...renderTable(columns, rows, style).map((line) => `  ${line}`),
    ...(more > 0 ? [style.dim(`  … and ${more} more; --json names them all.`)] : []),
  ]
}

function failureOf({ error, deleted }: StoragePrune): string {
  const before = deleted.count === 0 ? 'Nothing was deleted.' : `${plural(deleted.count)} were deleted before.`
  return `${error?.message ?? 'It failed.'} ${before}${error?.hint === undefined ? '' : ` ${error.hint}`}`
}

export function plural(count: number, one = 'backup', many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`
}
