import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Config } from '../config/config.ts'
import { openBackup } from '../engine.ts'
import type { SqliteBackup } from '../engine-api.ts'
import { faulty } from '../storage/faulty.ts'
import { memory } from '../storage/memory.ts'
import { bytesBody, type Storage } from '../storage/storage.ts'
import type { GuardOptions } from './guard-api.ts'
import { MigrationRolledBackError } from './migration-rolled-back.ts'

interface Place {
  readonly dir: string
  readonly path: string
  readonly db: Database.Database
  readonly engine: SqliteBackup
}

async function setUp(config: Omit<Config, 'databases'> = {}, mode: 'wal' | 'delete' = 'wal'): Promise<Place> {
  const dir = mkdtempSync(join(tmpdir(), 'guard-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const path = join(dir, 'app.db')
  const db = open(path)
  db.pragma(`journal_mode = ${mode}`)
  db.exec(`
    CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE posts(id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users(id) ON DELETE CASCADE);
    INSERT INTO users VALUES (1, 'a'), (2, 'b');
    INSERT INTO posts VALUES (1, 1), (2, 1), (3, 2)`)
  const engine = await openBackup({ databases: { app: path }, storages: { disk: memory() }, ...config })
  onTestFinished(() => engine.close())
  return { dir, path, db, engine }
}

function open(path: string): Database.Database {
  const db = new Database(path)
  onTestFinished(() => {
    db.close()
  })
  return db
}

const rows = (db: Database.Database, table: string): unknown =>
  db.prepare(`SELECT count(*) FROM ${table}`).pluck().get()

const guardFolder = ({ dir }: Place): string => join(dir, '.sqlite-backup', 'app.db', 'migration')

async function rolledBack(run: Promise<unknown>): Promise<MigrationRolledBackError> {
  const error = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(MigrationRolledBackError)
  return error as MigrationRolledBackError
}

/** As Drizzle's sync migrators do it: SQLite ignores the pragma inside the transaction, and the DROP cascades. */
function rebuildUsers(db: Database.Database): void {
  db.transaction(() => {
    db.exec(`PRAGMA foreign_keys = OFF; CREATE TABLE new_users(id INTEGER PRIMARY KEY, name TEXT DEFAULT 'x');
             INSERT INTO new_users SELECT * FROM users; DROP TABLE users; ALTER TABLE new_users RENAME TO users`)
  })()
}

const pending = (...names: string[]): GuardOptions['pending'] => {
  return async () => ({ names, sha256: Buffer.from(names.join()).toString('hex').padEnd(64, '0').slice(0, 64) })
}

describe('a guarded migration', () => {
  test('is kept when nothing is lost, and its backup was made before', async () => {
    const place = await setUp()
    const { db, engine } = place
    const seen: string[] = []
    engine.onAny((name) => seen.push(name))
    const result = await engine.guard('app', () => {
      seen.push('migrating')
      db.exec("ALTER TABLE users ADD COLUMN plan TEXT DEFAULT 'free'; INSERT INTO users VALUES (3, 'c', 'pro')")
      return 42
    })
    expect(result).toMatchObject({
      outcome: 'kept',
      database: 'app',
      value: 42,
      isBackupReused: false,
      tables: { users: { before: 2, after: 3 } },
      warnings: [],
    })
    expect(seen.filter((name) => !name.endsWith('progress'))).toEqual([
      'backup.started',
      'backup.succeeded',
      'migration.started',
      'migrating',
      'migration.succeeded',
    ])
    const { manifest } = await engine.show(result.backupId ?? '')
    expect(manifest).toMatchObject({ tier: 'pre-migration', trigger: 'migration' })
    await engine.restore(result.backupId ?? '', { output: join(place.dir, 'before.db') })
    expect(rows(open(join(place.dir, 'before.db')), 'users')).toBe(2)
    // Nothing stays on local disk but the lock.
    expect(readdirSync(guardFolder(place))).toEqual(['lock.db'])
  })

  test('that empties a child table is rolled back under the open connection', async () => {
    const { db, engine } = await setUp()
    const counting = db.prepare('SELECT count(*) FROM posts').pluck()
    const error = await rolledBack(engine.guard('app', () => rebuildUsers(db), { pending: pending('0001_default') }))
    expect(error).toMatchObject({
      code: 'MIGRATION_ROLLED_BACK',
      pending: ['0001_default'],
      lost: [{ table: 'posts', before: 3, after: 0 }],
      reasons: ['posts lost all of its 3 rows.'],
      isRestored: true,
    })
    expect([counting.get(), rows(db, 'users')]).toEqual([3, 2])
    // What it had made can be looked at.
    const { manifest } = await engine.show(error.safetyBackup ?? '')
    expect(manifest.tier).toBe('pre-restore')
    // And the connection goes on writing.
    db.exec('INSERT INTO posts VALUES (4, 2)')
    expect(counting.get()).toBe(4)
  })

  test('that empties a child table is rolled back in rollback-journal mode too', async () => {
    const { db, engine } = await setUp({}, 'delete')
    const error = await rolledBack(engine.guard('app', () => rebuildUsers(db)))
    expect(error.lost).toEqual([{ table: 'posts', before: 3, after: 0 }])
    expect([rows(db, 'posts'), db.pragma('journal_mode', { simple: true })]).toEqual([3, 'delete'])
  })

  test('that takes references away through ON DELETE SET NULL is rolled back', async () => {
    const { db, engine } = await setUp()
    db.exec(`CREATE TABLE notes(id INTEGER PRIMARY KEY, author REFERENCES users(id) ON DELETE SET NULL);
             INSERT INTO notes VALUES (1, 1), (2, 2)`)
    const error = await rolledBack(engine.guard('app', () => rebuildUsers(db), { allowLoss: ['posts'] }))
    expect(error.lost).toEqual([{ table: 'notes', column: 'author', before: 2, after: 0 }])
    expect(db.prepare('SELECT count(author) FROM notes').pluck().get()).toBe(2)
  })

  test('that empties a table is rolled back though others have written more rows than there were', async () => {
    const { db, path, engine } = await setUp()
    db.exec("CREATE TABLE orders(id TEXT PRIMARY KEY, n); INSERT INTO orders VALUES ('a', 1), ('b', 2), ('c', 3)")
    const run = (): void => {
      db.exec("DELETE FROM orders WHERE id <> 'b'")
      open(path).exec("INSERT INTO orders VALUES ('d', 4), ('e', 5), ('f', 6)")
    }
    const error = await rolledBack(engine.guard('app', run))
    expect(error).toMatchObject({
      lost: [{ table: 'orders', before: 3, after: 1 }],
      reasons: ['orders lost 2 of 3 rows.'],
    })
    expect(rows(db, 'orders')).toBe(3)
    // More rows, and all of those of before.
    expect(await engine.guard('app', () => open(path).exec("INSERT INTO orders VALUES ('d', 4)"))).toMatchObject({
      outcome: 'kept',
      tables: { orders: { before: 3, after: 4 } },
    })
  })

  test('that fails half-way outside of a transaction is rolled back, with its error as the cause', async () => {
    const { db, engine } = await setUp()
    const failure = new Error('no such column: nope')
    const error = await rolledBack(
      engine.guard('app', async () => {
        db.exec('CREATE TABLE half(x); DELETE FROM posts WHERE id = 1')
        throw failure
      }),
    )
    expect(error).toMatchObject({ isRestored: true, cause: failure })
    expect(error.reasons).toEqual(['It failed: no such column: nope.', 'posts lost 1 of 3 rows.'])
    expect(rows(db, 'posts')).toBe(3)
    expect(() => rows(db, 'half')).toThrow(/no such table/)
  })

  test('that fails and undoes itself is not restored: what others wrote meanwhile stays', async () => {
    const { db, path, engine } = await setUp()
    const isAtomic = async () => ({ names: ['1'], sha256: 'a'.repeat(64), isAtomic: true })
    const error = await rolledBack(
      engine.guard(
        'app',
        () => {
          open(path).exec('INSERT INTO posts VALUES (9, 2)')
          throw new Error('syntax error')
        },
        { pending: isAtomic },
      ),
    )
    expect(error).toMatchObject({ isRestored: false, lost: [], safetyBackup: undefined })
    expect(rows(db, 'posts')).toBe(4)
    expect((await engine.list('app')).items.map(({ tier }) => tier)).toEqual(['pre-migration'])
  })

  test('of a migrator that reports its failure instead of throwing it is rolled back', async () => {
    const { db, engine } = await setUp()
    const error = await rolledBack(
      engine.guard(
        'app',
        () => {
          db.exec('CREATE TABLE half(x)')
          return { error: new Error('second one failed') }
        },
        { failureOf: (result) => result.error },
      ),
    )
    expect(error.cause).toEqual(new Error('second one failed'))
    expect(() => rows(db, 'half')).toThrow(/no such table/)
  })

  test('that breaks foreign keys is rolled back; those that were broken before are no reason', async () => {
    const { db, engine } = await setUp()
    db.pragma('foreign_keys = OFF')
    db.exec('INSERT INTO posts VALUES (7, 99)')
    expect(await engine.guard('app', () => db.exec('CREATE TABLE more(x)'))).toMatchObject({ outcome: 'kept' })
    const error = await rolledBack(
      engine.guard('app', () => db.exec('DELETE FROM users WHERE id = 2'), { allowLoss: ['users'] }),
    )
    expect(error.reasons).toEqual(['Rows that refer to nothing (posts → users): 1 before, 2 after.'])
    expect(rows(db, 'users')).toBe(2)
  })

  test('that leaves damage is rolled back', async () => {
    const { db, engine } = await setUp()
    db.exec('CREATE INDEX users_name ON users(name)')
    const error = await rolledBack(
      engine.guard('app', () => {
        db.unsafeMode(true)
        db.pragma('writable_schema = ON')
        db.exec("UPDATE sqlite_schema SET sql = 'CREATE INDEX users_name ON users(id)' WHERE name = 'users_name'")
        db.pragma('writable_schema = RESET')
        db.unsafeMode(false)
      }),
    )
    expect(error.reasons.join()).toMatch(/SQLite finds damage: .*users_name/)
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
  })

  test('that fails a check of the app is rolled back', async () => {
    const { db, engine } = await setUp()
    const checkNames = (): boolean => db.prepare("SELECT 1 FROM users WHERE name = ''").get() === undefined
    const run = () => void db.exec("UPDATE users SET name = ''")
    const error = await rolledBack(engine.guard('app', run, { checks: [checkNames] }))
    expect(error.reasons).toEqual(['A check failed: checkNames gave false.'])
    expect(checkNames()).toBe(true)
    expect(await engine.guard('app', () => {}, { checks: [checkNames] })).toMatchObject({ outcome: 'kept' })
  })

  test('that deletes the database file brings it back', async () => {
    const { db, path, engine } = await setUp()
    const error = await rolledBack(
      engine.guard('app', () => {
        db.close()
        for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
      }),
    )
    expect(error.isRestored).toBe(true)
    expect(rows(open(path), 'posts')).toBe(3)
  })
})

describe('a roll-back', () => {
  test('is on record before what it replaced goes to the storages', async () => {
    const seen: string[] = []
    const disk = memory()
    const put: Storage['put'] = (key, ...rest) => {
      if (key.includes('pre-restore')) {
        const [intent = ''] = readdirSync(guardFolder(place)).filter((name) => name === 'intent.json')
        seen.push(JSON.parse(readFileSync(join(guardFolder(place), intent), 'utf8')).phase)
      }
      return disk.put(key, ...rest)
    }
    const place = await setUp({ storages: { disk: { ...disk, put } } })
    await rolledBack(place.engine.guard('app', () => void place.db.exec('DELETE FROM posts')))
    expect(new Set(seen)).toEqual(new Set(['rolled-back']))
  })

  test('leaves a journal mode that the migration changed, and says so', async () => {
    const { db, engine } = await setUp()
    const error = await rolledBack(
      engine.guard('app', () => void db.exec('PRAGMA journal_mode = DELETE; DELETE FROM posts')),
    )
    expect(error.warnings).toEqual([expect.stringContaining('PRAGMA journal_mode = WAL sets it back')])
    expect([rows(db, 'posts'), db.pragma('journal_mode', { simple: true })]).toEqual([3, 'delete'])
  })
})

describe('an explained loss', () => {
  test('of a table that may become less is kept, and told', async () => {
    const { db, engine } = await setUp()
    const result = await engine.guard('app', () => void db.exec('DELETE FROM posts'), { allowLoss: ['Posts'] })
    expect(result.warnings).toEqual(['As allowed: posts lost all of its 3 rows.'])
    expect(rows(db, 'posts')).toBe(0)
  })

  test('is a table that has another name now', async () => {
    const { db, engine } = await setUp()
    const result = await engine.guard('app', () => void db.exec('ALTER TABLE posts RENAME TO articles'))
    expect(result.warnings).toEqual(['The rows of posts are in articles now.'])
  })

  test('is a table that has another name now, as have its columns', async () => {
    const { db, engine } = await setUp()
    const rename = 'ALTER TABLE users RENAME TO people; ALTER TABLE people RENAME COLUMN name TO full_name'
    const result = await engine.guard('app', () => void db.exec(rename))
    expect(result).toMatchObject({ outcome: 'kept', warnings: ['The rows of users are in people now.'] })
  })

  test('is none with rowLoss: fail or warn, and the database is left', async () => {
    const { db, engine } = await setUp()
    const drop = (): void => void db.exec('DELETE FROM posts WHERE id = 1')
    await expect(engine.guard('app', drop, { rowLoss: 'fail' })).rejects.toMatchObject({
      code: 'MIGRATION_LOST_ROWS',
      hint: expect.stringMatching(/sqlite-backup restore \S+ --db app/),
    })
    expect(rows(db, 'posts')).toBe(2)
    const heard: string[] = []
    const onWarning = (sentence: string): void => void heard.push(sentence)
    await engine.guard('app', () => void db.exec('DELETE FROM posts WHERE id = 2'), { rowLoss: 'warn', onWarning })
    expect(heard).toEqual(['posts lost 1 of 2 rows.'])
    expect(rows(db, 'posts')).toBe(1)
  })
})

describe('the backup of an earlier try', () => {
  const tries = async (spoil: (body: string, storage: Storage) => Promise<unknown>): Promise<readonly boolean[]> => {
    const [disk, other] = [memory(), memory()]
    const { engine } = await setUp({ storages: { disk, other } })
    const reused: boolean[] = []
    engine.on('migration.started', ({ isBackupReused }) => reused.push(isBackupReused))
    const failing = (): never => {
      throw new Error('no')
    }
    const isAtomic = async () => ({ names: ['1'], sha256: 'a'.repeat(64), isAtomic: true })
    const { backupId } = await rolledBack(engine.guard('app', failing, { pending: isAtomic }))
    await spoil((await engine.show(backupId)).manifest.body, other)
    const again = await rolledBack(engine.guard('app', failing, { pending: isAtomic }))
    // Whatever was found: now there is one to go back to.
    expect((await other.head((await engine.show(again.backupId)).manifest.body)).sizeBytes).toBeGreaterThan(100)
    return reused
  }

  test('is used again', async () => {
    expect(await tries(async () => {})).toEqual([false, true])
  })

  test('is not, when a storage has no body of it, or not all of it', async () => {
    expect(await tries((body, storage) => storage.delete([body]))).toEqual([false, false])
    const cut = bytesBody(Buffer.from('cut'))
    expect(await tries((body, storage) => storage.put(body, cut))).toEqual([false, false])
  })
})

test('what a guard left that was killed while it wrote down what it was about to do is removed', async () => {
  const place = await setUp()
  mkdirSync(guardFolder(place), { recursive: true })
  for (const name of ['.intent.json.0123456789ab.tmp', '0123456789ab.image.body']) {
    writeFileSync(join(guardFolder(place), name), 'half')
  }
  expect((await place.engine.guard('app', () => {})).outcome).toBe('kept')
  expect(readdirSync(guardFolder(place))).toEqual(['lock.db'])
})

describe('without a backup', () => {
  test('nothing is migrated when what is pending has no digest', async () => {
    const { engine } = await setUp()
    const pending = async () => ({ names: ['1'], sha256: 'v1' })
    await expect(engine.guard('app', () => expect.unreachable(), { pending })).rejects.toMatchObject({ code: 'USAGE' })
    expect((await engine.list('app')).items).toEqual([])
  })

  test('nothing is migrated', async () => {
    const disk = faulty(memory(), [{ on: 'put', times: 99, code: 'STORAGE_DENIED' }])
    const { engine } = await setUp({ storages: { disk } })
    let isMigrated = false
    const run = (): void => {
      isMigrated = true
    }
    await expect(engine.guard('app', run)).rejects.toMatchObject({ code: 'BACKUP_FAILED' })
    expect(isMigrated).toBe(false)
  })

  test('nothing pending is passed on, and no child process is started', async () => {
    const place = await setUp()
    const result = await place.engine.guard('app', () => 'same', { pending: pending() })
    expect(result).toMatchObject({ outcome: 'nothing-pending', value: 'same' })
    expect((await place.engine.list('app')).items).toEqual([])
    expect(existsSync(guardFolder(place))).toBe(false)
  })

  test('nothing pending: backups of a machine that applied none name the newest migration all the same', async () => {
    const { db, engine } = await setUp()
    db.exec(`CREATE TABLE __drizzle_migrations(id INTEGER PRIMARY KEY, hash TEXT, created_at);
             INSERT INTO __drizzle_migrations VALUES (1, 'abc', 1)`)
    const none = async () => ({ names: [], sha256: '', tags: { abc: '0000_init' } })
    expect(await engine.guard('app', () => {}, { pending: none })).toMatchObject({ outcome: 'nothing-pending' })
    expect((await engine.backup('app')).manifest?.source.migration).toBe('0000_init')
  })

  test('a database that is not there yet is made', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'guard-'))
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
    const path = join(dir, 'new.db')
    await using engine = await openBackup({ databases: { app: path }, storages: { disk: memory() } })
    const result = await engine.guard('app', () => void open(path).exec('CREATE TABLE a(x)'), {
      pending: pending('0000'),
    })
    expect(result).toMatchObject({ outcome: 'nothing-to-lose', applied: ['0000'] })
  })

  test('a file that is not the database is refused', async () => {
    const { engine, dir } = await setUp()
    const run = (): never => {
      throw new Error('must not run')
    }
    await expect(engine.guard('app', run, { file: join(dir, 'other.db') })).rejects.toMatchObject({ code: 'USAGE' })
    await expect(engine.guard(undefined, run, { file: ':memory:' })).rejects.toMatchObject({ code: 'USAGE' })
  })
})

describe('the same again', () => {
  test('on unchanged content takes the backup that is there, and keeps what it made on local disk', async () => {
    const place = await setUp()
    const { db, engine } = place
    const attempt = () => rolledBack(engine.guard('app', () => rebuildUsers(db), { pending: pending('0001') }))
    const first = await attempt()
    const second = await attempt()
    for (let i = 0; i < 2; i++) await attempt()
    expect(second.backupId).toBe(first.backupId)
    expect((await engine.list('app')).items.map(({ tier }) => tier).toSorted()).toEqual([
      'pre-migration',
      'pre-restore',
    ])
    const copies = readdirSync(guardFolder(place)).filter((name) => name.startsWith('rolled-back-'))
    expect(copies).toHaveLength(2)
    expect(second.warnings.join()).toContain('rolled-back-')
    expect(rows(open(join(guardFolder(place), copies[0] ?? '')), 'posts')).toBe(0)
  })

  test('on other content, or of another migration, makes another', async () => {
    const { db, engine } = await setUp()
    const attempt = (name: string) =>
      rolledBack(engine.guard('app', () => rebuildUsers(db), { pending: pending(name) }))
    const ids = [await attempt('0001')]
    db.exec("UPDATE users SET name = 'z' WHERE id = 1")
    ids.push(await attempt('0001'), await attempt('0002'))
    expect(new Set(ids.map(({ backupId }) => backupId)).size).toBe(3)
  })
})

test('before a migration is a place to go back to, by its name', async () => {
  const { dir, db, engine } = await setUp()
  const apply = (name: string, sql: string) => engine.guard('app', () => void db.exec(sql), { pending: pending(name) })
  await apply('0001_first', 'CREATE TABLE first(x)')
  db.exec('INSERT INTO users VALUES (3, NULL)')
  await apply('0002_second', 'CREATE TABLE second(x)')
  const output = join(dir, 'before.db')
  await engine.restore('before-migration:0002_second.sql', { output })
  expect(rows(open(output), 'users')).toBe(3)
  expect((await engine.show('before-migration:0001_first')).manifest.beforeMigration?.pending).toEqual(['0001_first'])
  await expect(engine.show('before-migration:0003')).rejects.toMatchObject({
    code: 'BACKUP_NOT_FOUND',
    hint: expect.stringContaining('0002_second, 0001_first'),
  })
})
