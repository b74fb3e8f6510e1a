import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { tempFolder } from './make-database.ts'

const modules = join(import.meta.dirname, '../../node_modules')

export interface ToolProject extends Disposable {
  readonly path: string
  write(file: string, text: string): void
  /** Runs a tool of the project without a guard. */
  run(...words: readonly string[]): Promise<void>
  exec(sql: string, database?: string): void
  /** First column of the first row. */
  value(sql: string, database?: string): unknown
}

/**
 * A user's project, with nothing of this repository in its node_modules but the packages that are named, as `name` or
 * `name in the project` → `name here`.
 */
export function toolProject(packages: Readonly<Record<string, string>>): ToolProject {
  const folder = tempFolder()
  for (const [name, from] of Object.entries(packages)) {
    const to = join(folder.path, 'node_modules', name)
    mkdirSync(dirname(to), { recursive: true })
    const real = realpathSync(join(modules, from))
    if (name !== 'drizzle-kit') symlinkSync(real, to)
    else copyTool(real, to)
  }
  const file = (database: string): string => join(folder.path, database)
  return {
    path: folder.path,
    write(name, text) {
      mkdirSync(dirname(file(name)), { recursive: true })
      writeFileSync(file(name), text)
    },
    async run(command = '', ...args) {
      await promisify(execFile)(command, args, { cwd: folder.path })
    },
    exec(sql, database = 'app.db') {
      const db = new Database(file(database))
      db.exec(sql)
      db.close()
    },
    value(sql, database = 'app.db') {
      const db = new Database(file(database), { readonly: true })
      const value = db.prepare(sql).pluck().get()
      db.close()
      return value
    },
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  }
}

/** drizzle-kit takes the driver that it finds from where it lies: a link would lead it to all that are installed here. */
function copyTool(real: string, to: string): void {
  cpSync(real, to, { recursive: true })
  const siblings = dirname(real)
  for (const name of readdirSync(siblings)) {
    const beside = join(dirname(to), name)
    if (!existsSync(beside)) symlinkSync(realpathSync(join(siblings, name)), beside)
  }
}
