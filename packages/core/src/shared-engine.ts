import type { ResolvedConfig } from './config/config.ts'
import type { SqliteBackup } from './engine-api.ts'

// On globalThis: dev servers (Next.js, Vite) load modules again and again in one process, and `boot` and a plugin may
// come with two copies of this package.
const key = Symbol.for('@sqlite-backup/core/engines/1')
type Global = { [key]?: Map<string, SqliteBackup> }

/**
 * The engine of this process for these database files: the one that is open already, or a new one. It is forgotten when it
 * is closed. The config of whoever opened it first counts until then.
 */
export function shareEngine(config: ResolvedConfig, create: () => SqliteBackup): SqliteBackup {
  const store = globalThis as Global
  store[key] ??= new Map()
  const engines = store[key]
  const files = config.databases.map(({ path }) => path).sort()
  const name = JSON.stringify(files)
  const open = engines.get(name)
  if (open !== undefined) return open
  const engine = create()
  // Two engines that know of no database have nothing in common.
  if (files.length === 0) return engine
  const { close } = engine
  engine.close = (options) => {
    if (engines.get(name) === engine) engines.delete(name)
    return close(options)
  }
  engines.set(name, engine)
  return engine
}
