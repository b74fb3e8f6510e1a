import type { GuardResult, LostRows, SerializedError } from '@sqlite-backup/core'
import { formatDuration } from './ages.ts'
import { type Style, symbols } from './style.ts'

/** How the guarded command ended on one database. */
export interface GuardedDatabase extends Partial<Omit<GuardResult<void>, 'outcome' | 'database' | 'value'>> {
  readonly database: string
  readonly outcome: GuardResult<void>['outcome'] | 'rolled-back' | 'failed'
  readonly error?: SerializedError
  readonly lost?: readonly LostRows[]
  readonly reasons?: readonly string[]
  readonly safetyBackup?: string
  readonly isRestored?: boolean
  readonly pausedMs?: number
}

/** One report over all databases, in the order in which they were migrated. */
export function renderGuarded(
  done: readonly GuardedDatabase[],
  notRun: readonly string[],
  style: Style,
): readonly string[] {
  return [
    ...done.flatMap((each) => renderOne(each, style)),
    ...notRun.map((database) => `${style.dim(symbols.dot)} ${style.bold(database)} was not run.`),
  ]
}

function renderOne(guarded: GuardedDatabase, style: Style): readonly string[] {
  const {
    database,
    outcome,
    backupId = '',
    applied = [],
    reasons = [],
    safetyBackup,
    durationMs = 0,
    guardMs = 0,
    pausedMs = 0,
  } = guarded
  const name = style.bold(database)
  if (outcome === 'rolled-back') {
    const how = guarded.isRestored
      ? `rolled back to ${style.accent(backupId)}`
      : `left as it was; backup ${style.accent(backupId)}`
    return [
      `${style.bad(symbols.bad)} ${name} ${how}`,
      ...reasons.map((reason) => `  ${reason}`),
      ...(safetyBackup === undefined ? [] : [`  What it had made is in ${safetyBackup}.`]),
      `  took ${formatDuration(durationMs)}${guarded.isRestored ? `, of which writers waited ${formatDuration(pausedMs)}` : ''}`,
    ]
  }
  if (outcome === 'failed') return [`${style.bad(symbols.bad)} ${name} failed`]
  if (outcome === 'nothing-to-lose') return [`${style.good(symbols.good)} ${name} was made`]
  if (outcome === 'off') return [`${style.warn(symbols.warning)} ${name} migrated without a guard: SQLITE_BACKUP=off`]
  const rows = Object.entries(guarded.tables ?? {}).map(
    ([table, { before, after }]) => `  ${table} ${before ?? '–'} ${symbols.arrow} ${after ?? '–'} rows`,
  )
  return [
    `${style.good(symbols.good)} ${name} migrated and kept${applied.length === 0 ? '' : `: ${applied.join(', ')}`}`,
    ...rows,
    `  backup ${style.accent(backupId)}${guarded.isBackupReused ? ' of an earlier try' : ''}, took ${formatDuration(durationMs)}, of which the guard ${formatDuration(guardMs)}`,
  ]
}
