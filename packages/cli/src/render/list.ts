import type { BackupList, BackupSummaryEntry } from '@sqlite-backup/core'
import { formatAge, formatMoment } from './ages.ts'
import { formatBytes } from './bytes.ts'
import { type Style, symbols } from './style.ts'
import { renderTable } from './table.ts'

/** One page of backups, newest first. */
export function renderList(page: BackupList, nowMs: number, style: Style): readonly string[] {
  if (page.items.length === 0) return []
  const rows = page.items.map((item) => [
    style.accent(item.id),
    ...momentOf(item, nowMs),
    item.marks?.isKept ? `${item.tier}, kept` : item.tier,
    verifiedText(item, style),
    formatBytes(item.storedSizeBytes),
    item.name ?? '',
  ])
  const columns = [
    { title: 'id' },
    { title: 'created' },
    { title: 'age', align: 'right' },
    { title: 'tier' },
    { title: 'verified' },
    { title: 'size', align: 'right' },
    { title: 'name' },
  ] as const
  return [
    ...renderTable(columns, rows, style),
    ...renderFork(page.fork, style),
    ...(page.cursor === undefined ? [] : [style.dim(`There are more: add --cursor ${page.cursor}`)]),
  ]
}

/** The databases of a storage with the newest backup of each. */
export function renderDatabases(pages: readonly BackupList[], nowMs: number, style: Style): readonly string[] {
  const rows = pages.map(({ database, items: [newest] }) => [
    style.bold(database),
    ...(newest === undefined
      ? ['none', '', '', '']
      : [style.accent(newest.id), ...momentOf(newest, nowMs), formatBytes(newest.storedSizeBytes)]),
  ])
  const columns = [
    { title: 'database' },
    { title: 'newest' },
    { title: 'created' },
    { title: 'age', align: 'right' },
    { title: 'size', align: 'right' },
  ] as const
  return [...renderTable(columns, rows, style), style.dim('Several databases: choose one with --db.')]
}

/** What to say when two writers grew from one parent. */
export function renderFork(fork: readonly string[] | undefined, style: Style): readonly string[] {
  if (fork === undefined || fork.length === 0) return []
  const text = `Two writers went on from one backup. The newest of each: ${fork.join(', ')}.`
  return [`${style.warn(symbols.warning)} ${text}`]
}

function verifiedText({ marks }: BackupSummaryEntry, style: Style): string {
  return marks?.isBad ? style.bad('DAMAGED') : (marks?.level ?? '')
}

function momentOf({ created }: BackupSummaryEntry, nowMs: number): readonly [string, string] {
  return [formatMoment(created), formatAge(nowMs - Date.parse(created))]
}
