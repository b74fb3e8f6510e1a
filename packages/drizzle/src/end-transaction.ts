import { type DrizzleDatabase, isInTransaction } from './drizzle-database.ts'

/**
 * Runs, and ends a transaction that is left open: nothing in it would be there after a restart, and as long as it is open
 * nobody can roll back what was committed before it.
 */
export async function endTransaction<R>(db: DrizzleDatabase, run: () => R | Promise<R>): Promise<Awaited<R>> {
  const wasOpen = isInTransaction(db)
  try {
    const value = await run()
    if (!wasOpen && isInTransaction(db)) throw new Error('The migrator left a transaction open.')
    return value
  } finally {
    if (!wasOpen && isInTransaction(db)) await db.run('ROLLBACK')
  }
}
