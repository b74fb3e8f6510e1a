// An app that migrates under guard when it starts, in a process of its own, and may be killed at a step.
import Database from 'better-sqlite3'
import { openBackup } from '../../engine.ts'
import type { EventName } from '../../events.ts'
import { filesystem } from '../../storage/filesystem.ts'
import type { GuardOptions } from '../guard-api.ts'

export interface AppOptions {
  readonly path: string
  readonly storage: string
  /**
   * `lossy` empties posts and reports success. `failing` changes rows, then throws; `mended` is the same without the fault.
   * `wrong` passes no check.
   */
  readonly migration: 'good' | 'lossy' | 'failing' | 'mended' | 'wrong'
  /** Where it kills itself; `half`: between two statements of the migration. */
  readonly killAt?: EventName | 'half' | 'migrated' | 'check'
  readonly lockWaitMs?: number
}

/** The migration is booked in a table of its own, so that it is pending until it is applied. */
export function migrationOf(db: Database.Database, migration: AppOptions['migration'], at: (step: string) => void) {
  const isApplied = (): boolean =>
    db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'books'").get() !== undefined &&
    db.prepare("SELECT 1 FROM books WHERE name = '0001'").get() !== undefined
  const isScaling = migration === 'failing' || migration === 'mended'
  const migrate = (): void => {
    if (isApplied()) return
    if (isScaling) {
      db.exec('UPDATE posts SET text = text * 100')
      at('half')
      if (migration === 'failing') throw new Error('no such table: nowhere')
      db.exec("CREATE TABLE books(name); INSERT INTO books VALUES ('0001')")
      return
    }
    db.exec('CREATE TABLE extra(x); CREATE TABLE IF NOT EXISTS books(name)')
    at('half')
    if (migration === 'lossy') db.exec('DELETE FROM posts')
    db.exec("INSERT INTO books VALUES ('0001')")
    at('migrated')
  }
  const options: GuardOptions = {
    bookkeeping: ['books'],
    pending: async () => ({ names: isApplied() ? [] : ['0001'], sha256: 'e'.repeat(64) }),
    ...(migration === 'wrong'
      ? {
          checks: [
            function balances() {
              at('check')
              return false
            },
          ],
        }
      : {}),
  }
  return { migrate, options }
}

if (process.argv[1] === import.meta.filename) {
  const { path, storage, migration, killAt, lockWaitMs = 60_000 }: AppOptions = JSON.parse(process.argv[2] ?? '')
  const die = (step: string): void => {
    if (step === killAt) process.kill(process.pid, 'SIGKILL')
  }
  const db = new Database(path)
  const engine = await openBackup({
    databases: { app: path },
    storages: { disk: filesystem({ dir: storage }) },
    log: false,
  })
  engine.onAny(die)
  const { migrate, options } = migrationOf(db, migration, die)
  try {
    const { outcome, applied } = await engine.guard('app', migrate, { ...options, lockWaitMs })
    process.stdout.write(JSON.stringify({ outcome, applied }))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : String(error)
    process.stdout.write(JSON.stringify({ code }))
  }
  await engine.close()
  db.close()
}
