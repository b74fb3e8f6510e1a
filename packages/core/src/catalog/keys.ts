import { bodyExtension, parseBodyExtension } from '../codec/body-extension.ts'
import type { Compression } from '../codec/codec.ts'
import { BackupError } from '../errors.ts'
import { type BackupStamp, idOf, parseBackupId, parseTimeStamp, randomPattern, timeStamp } from './backup-id.ts'
import { type Manifest, type Tier, tiers } from './manifest.ts'
import { escapeName, unescapeName } from './names.ts'

const tierPattern = tiers.join('|')
const stampPattern = `\\d{8}T\\d{6}\\.\\d{3}Z-${randomPattern}`
const bodyPattern = new RegExp(
  `^([^/]+)/backups/(${tierPattern})/(${stampPattern})(\\.db(?:\\.(?:zst|gz))?(?:\\.age)?)$`,
)
const catalogPattern = new RegExp(
  `^([^/]+)/catalog/(\\d{4})/(\\d{2})/(\\d{2})/(${stampPattern})-(${tierPattern})-(0|[1-9]\\d{0,15})(?:-([^/]+))?\\.json$`,
)

/** What the key of a manifest says: enough to list backups without reading one. */
export interface BackupEntry {
  readonly id: string
  readonly database: string
  /** The moment of the pin. */
  readonly created: Date
  readonly tier: Tier
  readonly name?: string
  readonly storedSizeBytes: number
  /** Key of the manifest. */
  readonly key: string
}

export interface BodyKeyParts {
  readonly database: string
  readonly tier: Tier
  readonly created: Date
  readonly id: string
  readonly compression: Compression
  readonly encrypted: boolean
}

/** The folder of a database; everything of it starts with this. */
export function databaseFolder(database: string): string {
  return `${escapeName(database)}/`
}

/** The database a folder belongs to; undefined when it is no folder of ours. */
export function parseDatabaseFolder(folder: string): string | undefined {
  return folder.endsWith('/') ? unescapeName(folder.slice(0, -1)) : undefined
}

/** `<db>/backups/<tier>/<stamp>.db.zst` */
export function bodyKey({ database, tier, created, id, compression, encrypted }: BodyKeyParts): string {
  return `${bodyFolder(database, tier)}${stampText(created, id)}${bodyExtension(compression, encrypted)}`
}

export function bodyFolder(database: string, tier: Tier): string {
  return `${databaseFolder(database)}backups/${tier}/`
}

/** What the key of a body says; undefined when it is none. */
export function parseBodyKey(key: string): BodyKeyParts | undefined {
  const [, folder = '', tier, stamp = '', extension = ''] = bodyPattern.exec(key) ?? []
  const database = unescapeName(folder)
  const parsed = parseStamp(stamp)
  const kind = parseBodyExtension(extension)
  if (database === undefined || parsed === undefined || kind === undefined) return undefined
  return { database, tier: tier as Tier, created: parsed.created, id: idOf(parsed), ...kind }
}

/** `<db>/catalog/2026/11/20/<stamp>-<tier>-<storedSize>[-<name>].json` */
export function catalogKey(
  manifest: Pick<Manifest, 'database' | 'created' | 'id' | 'tier' | 'name'> & {
    readonly stored: { readonly sizeBytes: number }
  },
): string {
  const created = new Date(manifest.created)
  const name = manifest.name === undefined ? '' : `-${escapeName(manifest.name)}`
  const { tier, stored } = manifest
  return `${dayFolder(catalogFolder(manifest.database), created)}${stampText(created, manifest.id)}-${tier}-${stored.sizeBytes}${name}.json`
}

export function catalogFolder(database: string): string {
  return `${databaseFolder(database)}catalog/`
}

/** What the key of a manifest says; undefined when it is none. */
export function parseCatalogKey(key: string): BackupEntry | undefined {
  const [, folder = '', year, month, day, stamp = '', tier, size, escaped] = catalogPattern.exec(key) ?? []
  const database = unescapeName(folder)
  const parsed = parseStamp(stamp)
  const name = escaped === undefined ? undefined : unescapeName(escaped)
  if (database === undefined || parsed === undefined || (escaped !== undefined && name === undefined)) return undefined
  if (!stamp.startsWith(`${year}${month}${day}T`)) return undefined
  return {
    id: idOf(parsed),
    database,
    created: parsed.created,
    tier: tier as Tier,
    ...(name === undefined ? {} : { name }),
    storedSizeBytes: Number(size),
    key,
  }
}

/** `<folder>2026/11/20/` */
export function dayFolder(folder: string, at: Date): string {
  const iso = at.toISOString()
  return `${folder}${iso.slice(0, 4)}/${iso.slice(5, 7)}/${iso.slice(8, 10)}/`
}

/** `<stamp>` of a key: the moment with milliseconds, and the random part of the id. */
export function stampText(created: Date, id: string): string {
  const random = parseBackupId(id)?.random
  if (random === undefined || idOf({ created, random }) !== id) {
    throw new BackupError('INTERNAL', `${id} is not the id of a backup made at ${created.toISOString()}.`)
  }
  return `${timeStamp(created)}-${random}`
}

function parseStamp(stamp: string): BackupStamp | undefined {
  const created = parseTimeStamp(stamp.slice(0, 20))
  return created === undefined ? undefined : { created, random: stamp.slice(21) }
}
