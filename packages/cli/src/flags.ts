import { Option } from 'commander'
import { listOption } from './help.ts'

/** Flags that several commands share, so that each is spelt and explained in one way. */
export const flags = {
  db: () => new Option('--db <name>', 'which database, by name or file (default: the only one)'),
  from: () => new Option('--from <storage>', 'a configured storage, a folder, or s3://bucket/prefix'),
  to: () => listOption('--to <storage>', 'a configured storage, a folder, or s3://bucket/prefix; repeatable'),
  yes: () => new Option('-y, --yes', 'do not ask'),
  dryRun: () => new Option('-n, --dry-run', 'say what would be done, and do nothing'),
  identity: () => new Option('--identity <file>', 'file of age identities that open encrypted backups'),
  passphraseFile: () =>
    new Option('--passphrase-file <file>', 'file with the passphrase (also: SQLITE_BACKUP_PASSPHRASE, or a prompt)'),
} as const

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
