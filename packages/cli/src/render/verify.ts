import type { VerifyRecord, VerifyResult } from '@sqlite-backup/core'
import { formatDuration } from './ages.ts'
import { type Style, symbols } from './style.ts'

/** One line for one verification, and what SQLite said under it. */
export function renderVerified({ id, storage, record, warnings = [] }: VerifyResult, style: Style): readonly string[] {
  const symbol = record.outcome === 'ok' ? style.good(symbols.good) : style.bad(symbols.bad)
  return [
    `${symbol} ${style.accent(id)}  ${storage}  ${describeRecord(record)}`,
    ...(record.messages ?? []).slice(0, 10).map((message) => `    ${message}`),
    ...warnings.map((warning) => `  ${style.warn(symbols.warning)} ${warning}`),
  ]
}

/** What one verification found, in a sentence. */
export function describeRecord(record: VerifyRecord): string {
  const took = formatDuration(record.durationMs)
  if (record.outcome === 'failed') {
    const { code = 'VERIFY_FAILED', message = 'It is not what it should be.' } = record.error ?? {}
    return `not ${record.level}: ${message} (${code})`
  }
  return [`${record.level} in ${took}`, ...proofOf(record)].join(', ')
}

function proofOf({ integrity, foreignKeyViolations, tables }: VerifyRecord): readonly string[] {
  const counts = Object.values(tables ?? {})
  const rows = counts.reduce((sum, count) => sum + count, 0)
  return [
    ...(integrity === undefined ? [] : [integrityTexts[integrity]]),
    ...(foreignKeyViolations === undefined || foreignKeyViolations === 0
      ? []
      : [plural(foreignKeyViolations, 'foreign key violation')]),
    ...(tables === undefined ? [] : [`${plural(counts.length, 'table')}, ${plural(rows, 'row')}`]),
  ]
}

const integrityTexts = {
  ok: 'integrity ok',
  damaged: 'damaged at the source',
  unknown: 'integrity could not be checked',
} as const

function plural(count: number, thing: string): string {
  return `${count.toLocaleString('en')} ${thing}${count === 1 ? '' : 's'}`
}
