import type { Tier } from '@sqlite-backup/core'
import { InvalidArgumentError, Option } from 'commander'
import { listOption } from './help.ts'

/** Flags that several commands share, so that each is spelt and explained in one way. */
export const flags = {
  db: () => new Option('--db <name>', 'which database, by name or file (default: the only one)'),
  from: () => new Option('--from <storage>', 'a configured storage, a folder, or s3://bucket/prefix'),
  to: () => listOption('--to <storage>', 'a configured storage, a folder, or s3://bucket/prefix; repeatable'),
  limit: () => new Option('--limit <count>', 'at most this many').argParser(parseCount).default(50),
  yes: () => new Option('-y, --yes', 'do not ask'),
  dryRun: () => new Option('-n, --dry-run', 'say what would be done, and do nothing'),
  identity: () => new Option('--identity <file>', 'file of age identities that open encrypted backups'),
  passphraseFile: () =>
    new Option('--passphrase-file <file>', 'file with the passphrase (also: SQLITE_BACKUP_PASSPHRASE, or a prompt)'),
} as const

// A record, so that none is forgotten: the engine is not loaded to read flags.
const isTier: Readonly<Record<Tier, true>> = {
  recent: true,
  hourly: true,
  daily: true,
  weekly: true,
  monthly: true,
  yearly: true,
  manual: true,
  'pre-migration': true,
  'pre-restore': true,
  shutdown: true,
  milestone: true,
}

export const tiers: readonly string[] = Object.keys(isTier)

/** Of commands that read a storage. */
export interface ReadFlags {
  readonly db?: string
  readonly from?: string
}

/** Of commands that open encrypted backups. */
export interface KeyFlags {
  readonly identity?: string
  readonly passphraseFile?: string
}

function parseCount(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count > 0) return count
  throw new InvalidArgumentError('It is a whole number above 0.')
}
