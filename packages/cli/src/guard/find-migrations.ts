import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'

/** Where the migrations are that a command is about to apply, and how they will be applied. */
export interface FoundMigrations {
  readonly folder: string
  /** Named by the user: then it must be there. */
  readonly isNamed: boolean
  readonly migrationsTable?: string
  readonly driver: 'transaction' | 'disarmed' | 'unknown'
}

export interface MigrationHints {
  /** The command. */
  readonly words: readonly string[]
  readonly cwd: string
  /** `--migrations` */
  readonly named?: string | undefined
}

const DRIZZLE_CONFIGS = ['ts', 'mts', 'js', 'mjs', 'cjs', 'json'].map((ending) => `drizzle.config.${ending}`)

/** The SQL migrations of a command: what the user names; else what drizzle-kit and Prisma would take. */
export function findMigrations({ words, cwd, named }: MigrationHints): FoundMigrations | undefined {
  const isKit = words.some((word) => isTool(word, 'drizzle-kit'))
  const kit = isKit ? readKitConfig(words, cwd) : undefined
  const driver = isKit ? driverOfKit(cwd) : 'unknown'
  const table = kit?.migrationsTable === undefined ? {} : { migrationsTable: kit.migrationsTable }
  if (named !== undefined) return { folder: resolve(cwd, named), isNamed: true, driver, ...table }
  if (!words.includes('migrate')) return undefined
  if (kit?.out !== undefined) return { folder: resolve(cwd, kit.out), isNamed: false, driver, ...table }
  const prisma = join(cwd, 'prisma', 'migrations')
  if (words.some((word) => isTool(word, 'prisma')) && existsSync(prisma)) {
    return { folder: prisma, isNamed: false, driver: 'unknown' }
  }
  return undefined
}

/** `npx drizzle-kit`, `./node_modules/.bin/drizzle-kit`, `node node_modules/drizzle-kit/bin.cjs`. */
function isTool(word: string, tool: string): boolean {
  return basename(word) === tool || word.includes(`/${tool}/`)
}

interface KitConfig {
  readonly out: string | undefined
  readonly migrationsTable?: string
}

/** What drizzle-kit's config says literally: it is a program, and running it is not for us. */
function readKitConfig(words: readonly string[], cwd: string): KitConfig | undefined {
  const file = configOf(words) ?? DRIZZLE_CONFIGS.find((name) => existsSync(join(cwd, name)))
  if (file === undefined || !existsSync(resolve(cwd, file))) return undefined
  const text = readFileSync(resolve(cwd, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|[\s{,;])\/\/.*$/gm, '')
  const migrationsTable = literal(text, 'table')
  return {
    // https://orm.drizzle.team/docs/drizzle-config-file#out
    out: /\bout["']?\s*:/.test(text) ? literal(text, 'out') : 'drizzle',
    ...(migrationsTable === undefined ? {} : { migrationsTable }),
  }
}

function configOf(words: readonly string[]): string | undefined {
  const at = words.findIndex((word) => word === '--config' || word.startsWith('--config='))
  return at < 0 ? undefined : (words[at]?.split('=')[1] ?? words[at + 1])
}

function literal(text: string, key: string): string | undefined {
  return new RegExp(`\\b${key}["']?\\s*:\\s*(["'\`])([^"'\`$]+)\\1`).exec(text)?.[2]
}

/** drizzle-kit takes @libsql/client where that is installed, which turns foreign keys off by itself; else better-sqlite3. */
function driverOfKit(cwd: string): 'transaction' | 'disarmed' {
  const isThere = existsSync(join(cwd, 'node_modules', '@libsql', 'client'))
  if (isThere || cwd === dirname(cwd)) return isThere ? 'disarmed' : 'transaction'
  return driverOfKit(dirname(cwd))
}
