import { areForeignKeysOn, type DrizzleDatabase, disarmsByItself } from './drizzle-database.ts'

/** Runs with foreign keys off when asked to, and leaves the connection as it was. */
export async function withoutForeignKeys<R>(
  db: DrizzleDatabase,
  isWanted: boolean,
  warn: (sentence: string) => void,
  run: () => R | Promise<R>,
): Promise<Awaited<R>> {
  if (!isWanted || disarmsByItself(db) || !(await areForeignKeysOn(db))) return await run()
  await db.run('PRAGMA foreign_keys = OFF')
  try {
    // https://sqlite.org/pragma.html#pragma_foreign_keys: ignored within a transaction.
    if (await areForeignKeysOn(db)) warn('Foreign keys could not be turned off: the connection is in a transaction.')
    return await run()
  } finally {
    await db.run('PRAGMA foreign_keys = ON')
  }
}
