import type { BackupResult, Manifest, StorageOutcome } from '@sqlite-backup/core'
import { formatDuration } from './ages.ts'
import { formatBytes } from './bytes.ts'
import { type Style, symbols } from './style.ts'
import { renderFacts } from './table.ts'

/** What a backup came to. */
export function renderBackup(
  database: string,
  result: BackupResult,
  places: ReadonlyMap<string, string>,
  style: Style,
): readonly string[] {
  const name = style.bold(database)
  const storages = result.storages.map(({ storage }) => storage).join(', ')
  const warnings = result.warnings.map((warning) => `  ${style.warn(symbols.warning)} ${warning}`)
  if (result.outcome === 'unchanged') {
    return [`${style.good(symbols.good)} ${name} is as it was at ${result.id}: no new backup needed.`, ...warnings]
  }
  if (result.outcome === 'planned') {
    return [`Would back up ${name} to ${storages}. Nothing was done.`, ...warnings]
  }
  if (result.outcome === 'off') return [`${style.warn(symbols.warning)} SQLITE_BACKUP=off: ${name} was not backed up.`]
  const { manifest } = result
  return [
    `${style.good(symbols.good)} Backed up ${name} as ${style.accent(result.id)}`,
    ...renderFacts(
      [
        ['size', manifest && sizeOf(manifest)],
        ['stored', result.storages.map((outcome) => storageLine(outcome, places, style)).join('\n')],
        ['name', manifest?.name],
        ['kept as', manifest?.tier],
        ['encrypted', manifest?.encryption && recipientsOf(manifest)],
        ['took', tookOf(result)],
      ],
      style,
    ),
    ...warnings,
  ]
}

function sizeOf({ plain, stored, compression }: Manifest): string {
  const format = compression === 'none' ? 'uncompressed' : compression === 'gz' ? 'gzip' : 'zstd'
  return `${formatBytes(plain.sizeBytes)} ${symbols.arrow} ${formatBytes(stored.sizeBytes)}, ${format}`
}

function storageLine(
  { storage, ok, encryption }: StorageOutcome,
  places: ReadonlyMap<string, string>,
  style: Style,
): string {
  // Why is among the warnings.
  if (!ok) return `${style.bad(symbols.bad)} ${storage}`
  const facts = [places.get(storage), ...(encryption === undefined ? [] : [`${encryption} at rest`])]
  return `${storage} ${style.dim(`(${facts.filter((fact) => fact !== undefined).join(', ')})`)}`
}

/** How a backup is encrypted, in a few words. */
export function recipientsOf({ encryption }: Manifest): string | undefined {
  if (encryption === undefined) return undefined
  if (encryption.recipients === 'passphrase') return 'age, with a passphrase'
  const count = encryption.recipients.length
  return `age, for ${count === 1 ? encryption.recipients[0] : `${count} recipients`}`
}

function tookOf({ durationMs, blockedMs }: BackupResult): string {
  const writers = blockedMs < 1 ? 'writers never waited' : `writers waited ${formatDuration(blockedMs)} at most`
  return `${formatDuration(durationMs)}, ${writers}`
}
