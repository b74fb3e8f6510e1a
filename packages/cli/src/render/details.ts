import type { BackupDetails, Manifest, VerifyRecord } from '@sqlite-backup/core'
import { formatAge, formatMoment } from './ages.ts'
import { recipientsOf } from './backup.ts'
import { formatBytes } from './bytes.ts'
import { type Style, symbols } from './style.ts'
import { renderFacts, renderTable } from './table.ts'
import { describeRecord } from './verify.ts'

/** All about one backup. */
export function renderDetails(details: BackupDetails, nowMs: number, style: Style): string[] {
  const { storage, manifest, records, kept } = details
  const counted = records.findLast(({ tables }) => tables !== undefined)?.tables
  return [
    `${style.accent(manifest.id)}  ${style.bold(manifest.database)}`,
    ...renderFacts(
      [...factsOf(manifest, nowMs), ['storage', storage], ['kept', kept ? 'yes: no prune deletes it' : undefined]],
      style,
    ),
    '',
    style.bold('Checks'),
    ...(records.length === 0 ? ['  none yet: run `sqlite-backup verify`'] : records.map((it) => recordLine(it, style))),
    ...(counted === undefined ? [] : ['', style.bold('Rows'), ...rowCounts(counted, style)]),
  ]
}

function factsOf(manifest: Manifest, nowMs: number): readonly (readonly [string, string | undefined])[] {
  const { source, lineage, plain, stored, engine } = manifest
  return [
    ['created', `${formatMoment(manifest.created)} (${formatAge(nowMs - Date.parse(manifest.created))})`],
    ['tier', manifest.tier],
    ['name', manifest.name],
    ['made by', [manifest.trigger, manifest.actor, manifest.job].filter((part) => part !== undefined).join(', ')],
    [
      'size',
      `${formatBytes(plain.sizeBytes)} ${symbols.arrow} ${formatBytes(stored.sizeBytes)} (${manifest.compression})`,
    ],
    ['encrypted', recipientsOf(manifest) ?? 'no'],
    ['pages', `${source.pageCount} of ${source.pageSize} bytes, ${source.journalMode}`],
    ['schema', [`user_version ${source.userVersion}`, source.migration].filter((it) => it !== undefined).join(', ')],
    ['environment', lineage.environment],
    ['app version', manifest.appVersion],
    ['parent', lineage.parent],
    ['written by', `sqlite-backup ${engine.version}, SQLite ${engine.sqlite}, Node ${engine.node}`],
    ['body', manifest.body],
    ['sha256', `${stored.sha256} stored\n${plain.sha256} plain`],
  ]
}

function recordLine(record: VerifyRecord, style: Style): string {
  const symbol = record.outcome === 'ok' ? style.good(symbols.good) : style.bad(symbols.bad)
  return `  ${symbol} ${formatMoment(record.at)}  ${describeRecord(record)}`
}

function rowCounts(tables: Readonly<Record<string, number>>, style: Style): readonly string[] {
  const rows = Object.entries(tables).map(([table, count]) => [`  ${table}`, count.toLocaleString('en')])
  return renderTable([{ title: '  table' }, { title: 'rows', align: 'right' }], rows, style)
}
