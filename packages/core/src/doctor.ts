import { findOrphans } from './catalog/find-orphans.ts'
import { listDatabases } from './catalog/list-databases.ts'
import type { ResolvedDatabase } from './config/config.ts'
import type { EngineContext } from './context.ts'
import type { Finding } from './engine-api.ts'
import { isBackupError, messageOf } from './errors.ts'
import { examineGuard } from './guard/examine-guard.ts'
import { isOffsite, readStatus } from './status.ts'
import { bytesBody, readObject, type Storage } from './storage/storage.ts'

/** Looks at everything a backup needs and everything one left behind. Writes one scratch object per storage and deletes it. */
export async function examine(context: EngineContext, signal: AbortSignal): Promise<readonly Finding[]> {
  const { config } = context
  const findings: Finding[] = []
  if (!config.enabled) {
    findings.push({ level: 'warning', code: 'OFF', message: 'SQLITE_BACKUP=off switches everything off.' })
  }
  if (config.databases.length === 0)
    findings.push(
      config.storages.length === 0
        ? nothing('DATABASES', 'No database is configured.', 'Add one under `databases`.')
        : warning(
            'DATABASES',
            'No database is configured: only the storages are looked at.',
            'Add one under `databases`.',
          ),
    )
  if (config.storages.length === 0)
    findings.push(nothing('STORAGES', 'No storage is configured.', 'Add one under `storages`.'))
  for (const database of config.databases) {
    findings.push(await examineDatabase(context, database, signal), ...(await examineGuard(context, database, signal)))
  }
  for (const { name, storage } of context.storages)
    findings.push(...(await examineStorage(context, name, storage, signal)))
  if (config.databases.length > 0 && config.storages.length > 0) {
    findings.push(...(await examineOffsite(context)), ...(await examineNewest(context, signal)))
  }
  return findings
}

async function examineDatabase(
  { capture }: EngineContext,
  database: ResolvedDatabase,
  signal: AbortSignal,
): Promise<Finding> {
  const where = `${database.name} (${database.path})`
  try {
    const { state, journalMode, walSizeBytes, sizeBytes } = await capture.inspect({ path: database.path }, { signal })
    if (state === 'missing')
      return warning(
        'DATABASE_MISSING',
        `${where} does not exist yet.`,
        'It will be restored or created when the app starts.',
      )
    if (state === 'empty') return warning('DATABASE_EMPTY', `${where} has 0 bytes.`)
    if (journalMode === 'rollback') {
      return warning(
        'ROLLBACK_JOURNAL',
        `${where} is in rollback-journal mode: writers wait while its pages are compared.`,
        'Run `PRAGMA journal_mode = WAL` once. The setting stays in the file.',
      )
    }
    if (walSizeBytes > Math.max(256 * 1024 * 1024, sizeBytes)) {
      return warning(
        'WAL_LARGE',
        `${where} has a -wal of ${Math.round(walSizeBytes / 1e6)} MB.`,
        'A reader that stays open keeps SQLite from recycling it. Look for long transactions in the app.',
      )
    }
    return { level: 'ok', code: 'DATABASE', message: `${where}: readable, in WAL mode.` }
  } catch (error) {
    return failed('DATABASE', `${where}: ${messageOf(error)}`, error)
  }
}

async function examineStorage(
  context: EngineContext,
  name: string,
  storage: Storage,
  signal: AbortSignal,
): Promise<Finding[]> {
  const findings: Finding[] = []
  try {
    const databases = await listDatabases(storage, { signal })
    await probe(storage, signal)
    const fencing = await storage.fencing({ signal })
    const holds = databases.length === 0 ? 'no backups yet' : `backups of ${databases.join(', ')}`
    findings.push({
      level: 'ok',
      code: 'STORAGE',
      message: `${name} (${storage.name}): can list, write, read and delete; ${holds}; fencing: ${fencing}.`,
    })
    const own = context.config.databases.map((each) => each.name)
    for (const database of own.length > 0 ? own : databases) {
      findings.push(...(await orphansOf(name, storage, database, context.now(), signal)))
    }
  } catch (error) {
    findings.push(failed('STORAGE', `${name} (${storage.name}): ${messageOf(error)}`, error))
  }
  return findings
}

/** Everything a backup and a restore do, once, on an object of a few bytes. */
async function probe(storage: Storage, signal: AbortSignal): Promise<void> {
  const key = `.sqlite-backup-probe-${Math.random().toString(36).slice(2)}`
  const bytes = Buffer.from('Written by `sqlite-backup doctor`, which deletes it again.\n')
  await storage.put(key, bytesBody(bytes), { signal })
  try {
    const read = await readObject(storage, key, { signal })
    if (!bytes.equals(read)) throw new Error('it returned other bytes than were stored.')
  } finally {
    await storage.delete([key], { signal })
  }
}

// A bucket may hold years of history: the first few tell what is wrong.
const SHOWN_ORPHANS = 20

async function orphansOf(
  name: string,
  storage: Storage,
  database: string,
  now: Date,
  signal: AbortSignal,
): Promise<Finding[]> {
  const findings: Finding[] = []
  for await (const orphan of findOrphans(storage, database, { now, signal })) {
    findings.push(
      orphan.kind === 'body-without-manifest'
        ? warning(
            'ORPHAN_BODY',
            `${name}: ${orphan.key} (${orphan.sizeBytes} bytes) belongs to no backup.`,
            'A run was killed before its manifest was written. It can be deleted.',
          )
        : failed(
            'BROKEN_BACKUP',
            `${name}: backup ${orphan.id} cannot be restored: ${orphan.kind === 'manifest-without-body' ? 'its body is gone' : 'its body has another size'}.`,
          ),
    )
    if (findings.length === SHOWN_ORPHANS) break
  }
  return findings
}

async function examineOffsite({ config, storages }: EngineContext): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const database of config.databases) {
    const away = await Promise.all(storages.map(({ storage }) => isOffsite(database.path, storage.localDir)))
    if (away.includes(true)) continue
    findings.push(
      warning(
        'NOT_OFFSITE',
        `Every storage of ${database.name} is on the disk the database is on.`,
        'When that disk is lost, both are. Add a storage elsewhere.',
      ),
    )
  }
  return findings
}

async function examineNewest(context: EngineContext, signal: AbortSignal): Promise<Finding[]> {
  const status = await readStatus(context, { now: context.now(), signal })
  return status.databases.flatMap(({ database, storages }) =>
    storages.flatMap(({ storage, problems }) =>
      problems
        .filter((problem) => problem !== 'There is no backup.')
        .map((problem) => failed('STATUS', `${database} in ${storage}: ${problem}`)),
    ),
  )
}

function warning(code: string, message: string, hint?: string): Finding {
  return { level: 'warning', code, message, ...(hint === undefined ? {} : { hint }) }
}

function failed(code: string, message: string, error?: unknown): Finding {
  const hint = isBackupError(error) ? error.hint : undefined
  return { level: 'error', code, message, ...(hint === undefined ? {} : { hint }) }
}

function nothing(code: string, message: string, hint: string): Finding {
  return { level: 'error', code, message, hint }
}
