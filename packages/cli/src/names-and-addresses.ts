import { basename } from 'node:path'

// The name of a storage has none of these, and a path mostly has one.
const looksLikePath = /[/\\]|^[.~]/
const scheme = /^[a-z][a-z0-9+.-]+:/i
const databaseExtension = /\.(?:db|db3|sqlite|sqlite3|s3db)$/i

/** Whether a `--to` or `--from` is a folder or a URL, and not the name of a configured storage. */
export function isAddress(storage: string): boolean {
  return looksLikePath.test(storage) || scheme.test(storage)
}

/**
 * Whether a database was given as a file, and not by its name. A name may have a slash, like `tenants/acme`: with neither
 * `./` before nor an ending behind, `isThere` decides.
 */
export function isDatabaseFile(database: string, isThere: (path: string) => boolean = () => true): boolean {
  if (/^[.~/\\]/.test(database) || scheme.test(database) || databaseExtension.test(database)) return true
  return looksLikePath.test(database) && isThere(database)
}

/** Short names for storages given by address, for screens and events: `./backups` is `backups`, `s3://acme/app` is `acme`. */
export function nameStorages(addresses: readonly string[]): Readonly<Record<string, string>> {
  const named: Record<string, string> = {}
  for (const address of addresses) {
    const base = URL.canParse(address) && new URL(address).host !== '' ? new URL(address).host : basename(address)
    const wanted =
      base
        .replaceAll(/[^A-Za-z0-9_-]+/g, '-')
        .replaceAll(/^-+|-+$/g, '')
        .slice(0, 60) || 'storage'
    let name = wanted
    for (let count = 2; Object.hasOwn(named, name); count++) name = `${wanted}-${count}`
    named[name] = address
  }
  return named
}
