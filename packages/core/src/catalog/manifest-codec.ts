import { createHash } from 'node:crypto'
import { BackupError, messageOf } from '../errors.ts'
import { parseBackupId } from './backup-id.ts'
import { bodyKey } from './keys.ts'
import { type BeforeMigration, type Lineage, type Manifest, type SourceFacts, tiers, triggers } from './manifest.ts'
import { whyBadBackupName, whyBadDatabaseName } from './names.ts'
import { type Fields, readFields } from './read-fields.ts'

/** The format version this code writes, and the newest it reads. */
export const manifestFormat = 1

/** The bytes of a manifest: JSON for people, one field a line. The first line is the digest of all the others. */
export function serializeManifest(manifest: Manifest): string {
  const text = `${JSON.stringify(manifest, null, 2)}\n`
  return text.replace('\n', `\n  "${DIGEST}": "${sha256Of(text)}",\n`)
}

const DIGEST = 'manifestSha256'
const digestLine = new RegExp(`^ {2}"${DIGEST}": "([0-9a-f]{64})",\\n`, 'm')

/** False when it says a digest of itself that does not fit. Those of early versions say none. */
function isAsWritten(json: string, value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !(DIGEST in value)) return true
  const [line = '', sha256] = digestLine.exec(json) ?? []
  return sha256Of(json.replace(line, '')) === sha256
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/**
 * A manifest from its JSON. Every field is checked, fields of later versions are left out.
 * `where` is its key, for the message.
 * @throws BackupError `MANIFEST_INVALID`
 */
export function parseManifest(json: string, where = 'a manifest'): Manifest {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    throw invalid(where, `it is not JSON (${messageOf(cause)})`, { cause })
  }
  const manifest = validateManifest(value, where)
  if (isAsWritten(json, value)) return manifest
  throw invalid(where, `its SHA-256 is not the one it says as ${DIGEST}`)
}

/** The same for a value that is JSON already. @throws BackupError `MANIFEST_INVALID` */
export function validateManifest(value: unknown, where = 'a manifest'): Manifest {
  const fail = (problem: string): never => {
    throw invalid(where, problem)
  }
  const fields = readFields(value, '', fail)
  const format = fields.count('format')
  if (format > manifestFormat) {
    throw invalid(where, `its format version is ${format}, and this version knows ${manifestFormat}`, {
      hint: 'It was written by a newer version of sqlite-backup. Update to that version to read it.',
    })
  }
  if (format !== manifestFormat) fail(`there is no format version ${format}`)

  const encryption = fields.optionalObject('encryption')
  const beforeMigration = fields.optionalObject('beforeMigration')
  const manifest: Manifest = {
    format: manifestFormat,
    id: fields.text('id'),
    database: fields.text('database'),
    created: fields.time('created'),
    tier: fields.oneOf('tier', tiers),
    ...optional('name', fields.optionalText('name')),
    trigger: fields.oneOf('trigger', triggers),
    ...optional('actor', fields.optionalText('actor')),
    ...optional('job', fields.optionalText('job')),
    lineage: readLineage(fields.object('lineage')),
    source: readSource(fields.object('source')),
    body: fields.text('body'),
    plain: readDigest(fields.object('plain')),
    stored: readDigest(fields.object('stored')),
    compression: fields.oneOf('compression', ['zst', 'gz', 'none']),
    ...(encryption === undefined ? {} : { encryption: readEncryption(encryption) }),
    engine: readEngine(fields.object('engine')),
    ...optional('appVersion', fields.optionalText('appVersion')),
    ...(beforeMigration === undefined ? {} : { beforeMigration: readBeforeMigration(beforeMigration) }),
  }
  const problem = whyInconsistent(manifest)
  return problem === undefined ? manifest : fail(problem)
}

function readLineage(fields: Fields): Lineage {
  return {
    writer: fields.text('writer'),
    ...optional('environment', fields.optionalText('environment')),
    ...optional('parent', fields.optionalText('parent')),
  }
}

function readSource(fields: Fields): SourceFacts {
  return {
    pageSize: fields.count('pageSize'),
    pageCount: fields.count('pageCount'),
    journalMode: fields.oneOf('journalMode', ['wal', 'rollback']),
    userVersion: fields.integer('userVersion'),
    applicationId: fields.integer('applicationId'),
    schemaCookie: fields.integer('schemaCookie'),
    ...optional('schemaHash', fields.optionalText('schemaHash')),
    ...optional('migration', fields.optionalText('migration')),
  }
}

function readDigest(fields: Fields): Manifest['plain'] {
  return { sizeBytes: fields.count('sizeBytes'), sha256: fields.sha256('sha256') }
}

function readEncryption(fields: Fields): NonNullable<Manifest['encryption']> {
  return { method: fields.oneOf('method', ['age']), recipients: fields.textsOr('recipients', 'passphrase') }
}

function readBeforeMigration(fields: Fields): BeforeMigration {
  return {
    pending: fields.optionalTexts('pending') ?? [],
    sha256: fields.sha256('sha256'),
    contentSha256: fields.sha256('contentSha256'),
  }
}

function readEngine(fields: Fields): Manifest['engine'] {
  return { version: fields.text('version'), sqlite: fields.text('sqlite'), node: fields.text('node') }
}

/** What each field allows alone and all together do not. */
function whyInconsistent(manifest: Manifest): string | undefined {
  const { id, database, created, tier, name, body, source, plain, stored, compression } = manifest
  if (whyBadDatabaseName(database) !== undefined) return `database ${JSON.stringify(database)} is no name of a database`
  if (name !== undefined && whyBadBackupName(name) !== undefined) return `name ${JSON.stringify(name)} is not valid`
  const parsed = parseBackupId(id)
  if (parsed === undefined) return `id ${JSON.stringify(id)} is no id of a backup`
  const at = new Date(created)
  if (Math.floor(at.getTime() / 1000) * 1000 !== parsed.second.getTime())
    return 'its id is not of the time it was created'
  // A manifest cannot point at the objects of another backup, or of another database.
  const encrypted = manifest.encryption !== undefined
  const expected = bodyKey({ database, tier, created: at, id, compression, encrypted })
  if (body !== expected) return `body is ${JSON.stringify(body)} and should be ${expected}`
  // https://sqlite.org/fileformat2.html#page_size
  if (source.pageSize < 512 || source.pageSize > 65536 || !Number.isInteger(Math.log2(source.pageSize))) {
    return `source.pageSize ${source.pageSize} is no page size of SQLite`
  }
  if (source.pageCount * source.pageSize !== plain.sizeBytes) {
    return `plain.sizeBytes is ${plain.sizeBytes}, and ${source.pageCount} pages of ${source.pageSize} are something else`
  }
  if (
    compression === 'none' &&
    !encrypted &&
    (stored.sizeBytes !== plain.sizeBytes || stored.sha256 !== plain.sha256)
  ) {
    return 'a body that is neither compressed nor encrypted has two digests'
  }
  return undefined
}

function optional<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: V })
}

function invalid(
  where: string,
  problem: string,
  options: { readonly hint?: string; readonly cause?: unknown } = {},
): BackupError {
  return new BackupError('MANIFEST_INVALID', `${where} is not valid: ${problem}.`, {
    hint: 'It was changed or damaged after it was written. Use another backup, or this one in another storage.',
    ...options,
  })
}
