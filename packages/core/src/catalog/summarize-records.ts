import type { CheckLevel } from '../verify/record.ts'
import type { RecordEntry } from './record-keys.ts'

const levels = ['stored', 'checked', 'proven'] as const satisfies CheckLevel[]

/** What the records of one backup come to. */
export interface RecordSummary {
  /** The deepest level it passed; undefined when it never was verified, or is bad. */
  readonly level?: CheckLevel
  /** When it passed that level last. */
  readonly verifiedAt?: Date
  /** It failed, and has not passed a check as deep as that since. */
  readonly isBad: boolean
  readonly isKept: boolean
  /** The end of one of two branches. */
  readonly isTip: boolean
}

/** What is known about a backup, from the keys of its records. */
export function summarizeRecords(records: readonly RecordEntry[]): RecordSummary {
  const isKept = records.some(({ kind }) => kind === 'keep')
  const isTip = records.some(({ kind }) => kind === 'tip')
  const checks = records.filter((record) => record.kind === 'verify').sort((a, b) => a.at.getTime() - b.at.getTime())
  const depth = (level: CheckLevel): number => levels.indexOf(level)
  const isBad = checks.some(
    (failed, index) =>
      failed.outcome === 'failed' &&
      !checks.slice(index + 1).some((later) => later.outcome === 'ok' && depth(later.level) >= depth(failed.level)),
  )
  const deepest = isBad
    ? undefined
    : levels.findLast((level) => checks.some((each) => each.level === level && each.outcome === 'ok'))
  const passed = checks.findLast(({ level, outcome }) => level === deepest && outcome === 'ok')
  if (deepest === undefined || passed?.kind !== 'verify') return { isBad, isKept, isTip }
  return { level: deepest, verifiedAt: passed.at, isBad, isKept, isTip }
}
