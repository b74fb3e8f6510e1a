import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { BackupError, isBackupError, messageOf } from '../errors.ts'
import { filesystem } from '../storage/filesystem.ts'
import type { Storage } from '../storage/storage.ts'
import type { Environment } from './secret.ts'

/** Which package knows which kind of URL, and by which function. It is only loaded when such a URL is used. */
export const storageAdapters: Readonly<Record<string, { readonly package: string; readonly factory: string }>> =
  Object.freeze({ s3: { package: '@sqlite-backup/storage-s3', factory: 's3FromUrl' } })

export type StorageAddress =
  | { readonly kind: 'folder'; readonly dir: string }
  | { readonly kind: 'adapter'; readonly scheme: string; readonly url: string }

export interface OpenStorageOptions {
  /** Relative folders start here, and adapters are looked for in its node_modules. */
  readonly cwd: string
  /** Credentials and endpoints come from here. */
  readonly environment: Environment
}

/**
 * What a storage URL or a folder means: `./backups`, `file:///mnt/backups`, `s3://bucket/prefix?endpoint=…`.
 * @throws BackupError `CONFIG_INVALID`
 */
export function parseStorageUrl(text: string, cwd: string): StorageAddress {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase()
  if (scheme === undefined) return { kind: 'folder', dir: folderOf(text, cwd) }
  if (scheme === 'file') return { kind: 'folder', dir: folderOfUrl(text, cwd) }
  if (!Object.hasOwn(storageAdapters, scheme)) {
    throw new BackupError('CONFIG_INVALID', `There is no storage for ${scheme}: URLs.`, {
      hint: `It can be a folder like ./backups, or start with file:, ${Object.keys(storageAdapters).join(':// or ')}://.`,
    })
  }
  // Without a bucket (`s3://`) the adapter takes the one that the platform's variables name.
  if (!text.startsWith(`${scheme}://`) || !URL.canParse(text)) {
    throw new BackupError('CONFIG_INVALID', `${withoutUser(text)} is not a storage URL.`, {
      hint: `Write it like ${scheme}://bucket/prefix.`,
    })
  }
  const { username, password } = new URL(text)
  if (username !== '' || password !== '') {
    throw new BackupError('CONFIG_INVALID', `${withoutUser(text)} has credentials in it.`, {
      hint: 'URLs end up in logs and process lists. Give credentials in the environment.',
    })
  }
  return { kind: 'adapter', scheme, url: text }
}

/**
 * Opens the storage behind a URL or a folder.
 * @throws BackupError `CONFIG_INVALID`, `STORAGE_ADAPTER_MISSING`
 */
export async function openStorageUrl(text: string, { cwd, environment }: OpenStorageOptions): Promise<Storage> {
  const address = parseStorageUrl(text, cwd)
  if (address.kind === 'folder') return filesystem({ dir: address.dir })
  const adapter = storageAdapters[address.scheme]
  if (adapter === undefined) throw new BackupError('INTERNAL', `No adapter for ${address.scheme}.`)
  const factory = await importFactory(adapter, cwd)
  return await factory(address.url, environment)
}

type Factory = (url: string, environment: Environment) => Storage | Promise<Storage>

async function importFactory(
  { package: name, factory }: { readonly package: string; readonly factory: string },
  cwd: string,
): Promise<Factory> {
  const file = locate(name, cwd)
  if (file === undefined) {
    throw new BackupError('STORAGE_ADAPTER_MISSING', `${name} is not installed.`, {
      hint: `Run: npm install ${name}`,
    })
  }
  let exports: Readonly<Record<string, unknown>>
  try {
    exports = await import(pathToFileURL(file).href)
  } catch (cause) {
    if (isBackupError(cause)) throw cause
    throw new BackupError('STORAGE_ADAPTER_MISSING', `${name} is installed and cannot be loaded: ${messageOf(cause)}`, {
      hint: `Run: npm install ${name}`,
      cause,
    })
  }
  const found = exports[factory]
  if (typeof found === 'function') return found as Factory
  throw new BackupError('STORAGE_ADAPTER_MISSING', `${name} has no ${factory}.`, {
    hint: `It is of another version. Run: npm install ${name}@latest`,
  })
}

/** Where a package lies: for the app first, then for whoever started us (the CLI), then for this package. */
function locate(name: string, cwd: string): string | undefined {
  const starts = [join(cwd, 'package.json'), process.argv[1], import.meta.filename]
  for (const start of starts) {
    if (start === undefined) continue
    try {
      return createRequire(start).resolve(name)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'MODULE_NOT_FOUND' && code !== 'ERR_INVALID_ARG_VALUE') throw error
    }
  }
  return undefined
}

function folderOf(text: string, cwd: string): string {
  if (text === '~' || text.startsWith('~/')) return join(homedir(), text.slice(1))
  return resolve(cwd, text)
}

/** `file:///mnt/backups`, and the relative `file:./backups` that URLs do not know. */
function folderOfUrl(text: string, cwd: string): string {
  const rest = text.slice('file:'.length)
  if (!rest.startsWith('/')) return folderOf(rest, cwd)
  try {
    return fileURLToPath(text)
  } catch (cause) {
    throw new BackupError('CONFIG_INVALID', `${text} is not a file URL.`, {
      hint: 'Write it like file:///mnt/backups.',
      cause,
    })
  }
}

function withoutUser(text: string): string {
  return text.replace(/\/\/[^/@]*@/, '//…@')
}
