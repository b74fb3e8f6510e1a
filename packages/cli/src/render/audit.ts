import type { AuditEntry, AuditReport } from '@sqlite-backup/core'
import { formatMoment } from './ages.ts'
import { type Style, symbols } from './style.ts'
import { renderTable } from './table.ts'

const columns = [
  { title: 'when' },
  { title: 'who' },
  { title: 'what' },
  { title: 'backup' },
  { title: 'more' },
] as const

/** The entries, newest first. */
export async function renderAudit(database: string, report: AuditReport, style: Style): Promise<readonly string[]> {
  if (report.entries.length === 0) return [`Nothing is written down for ${database} yet.`]
  const { describeAction } = await import('@sqlite-backup/core')
  const rows = report.entries.map((entry) => [
    formatMoment(entry.at),
    entry.actor,
    describeAction(entry.action),
    entry.backup === undefined ? '' : style.accent(entry.backup),
    detailText(entry),
  ])
  return [
    ...renderTable(columns, rows, style),
    ...(report.hasMore
      ? [style.dim('There are older ones: see more with --limit; all are in the storage, under audit/.')]
      : []),
  ]
}

/** What is not as it was written, and what could not be looked at. */
export function renderAuditProblems({ problems, unread }: AuditReport, style: Style): readonly string[] {
  return [
    ...problems.map(({ writer, seq, kind }) => `${style.bad(symbols.bad)} Entry ${seq} of ${writer} was ${kind}.`),
    ...unread.map(({ storage, message }) => `${style.bad(symbols.bad)} ${storage} could not be read: ${message}`),
  ]
}

function detailText({ detail = {} }: AuditEntry): string {
  return Object.entries(detail)
    .map(([name, value]) => `${name}: ${value}`)
    .join(', ')
}
