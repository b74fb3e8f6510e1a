import { join } from 'node:path'
import { writeDurably } from './durable.ts'
import { readJson } from './read-json.ts'

/** Tags of migrations by the hash that Drizzle 0.x keeps in the database instead of them. */
export type MigrationTags = Readonly<Record<string, string>>

const FILE = 'migration-tags.json'

/** What the last migration run of this database told; empty when there was none. */
export async function readMigrationTags(spoolDir: string): Promise<MigrationTags> {
  try {
    const value = await readJson(join(spoolDir, FILE))
    if (typeof value !== 'object' || value === null) return {}
    return Object.fromEntries(Object.entries(value).filter(([, tag]) => typeof tag === 'string'))
  } catch (error) {
    // Names for people: without them there is still the hash.
    if (error instanceof SyntaxError) return {}
    throw error
  }
}

export async function writeMigrationTags(spoolDir: string, tags: MigrationTags): Promise<void> {
  if (JSON.stringify(tags) === JSON.stringify(await readMigrationTags(spoolDir))) return
  await writeDurably(join(spoolDir, FILE), `${JSON.stringify(tags)}\n`)
}
