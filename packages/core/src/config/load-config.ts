import { readFile } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { BackupError, isBackupError, messageOf } from '../errors.ts'
import type { Config } from './config.ts'
import { configFileNames, findConfig, isFile } from './find-config.ts'
import { validateConfig } from './validate-config.ts'

export interface LoadedConfig {
  readonly config: Config
  /** Absolute. */
  readonly file: string
}

/**
 * Reads the project's config file, or the one that is named. Undefined when none is named and none is there.
 * @throws BackupError `CONFIG_NOT_FOUND` for a named one that is not there, `CONFIG_INVALID`
 */
export async function loadConfig(cwd: string, named?: string): Promise<LoadedConfig | undefined> {
  const file = named === undefined ? await findConfig(cwd) : resolve(cwd, named)
  if (file === undefined) return undefined
  if (!(await isFile(file))) {
    throw new BackupError('CONFIG_NOT_FOUND', `There is no config file ${file}.`, {
      hint: `Without a name it is looked for as ${configFileNames[0]} and the like. \`sqlite-backup init\` writes one.`,
    })
  }
  const value = extname(file) === '.json' ? await readJson(file) : await importDefault(file)
  return { config: validateConfig(value, { source: file }), file }
}

async function readJson(file: string): Promise<unknown> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw cannotLoad(file, error)
  }
  try {
    const value: unknown = JSON.parse(text)
    // Editors find the JSON schema by it.
    if (typeof value === 'object' && value !== null && '$schema' in value) {
      const { $schema, ...config } = value
      return config
    }
    return value
  } catch (error) {
    throw new BackupError('CONFIG_INVALID', `${file} is not JSON: ${messageOf(error)}.`, {
      hint: 'JSON takes no comments and no comma behind the last value.',
      cause: error,
    })
  }
}

async function importDefault(file: string): Promise<unknown> {
  let exports: Readonly<Record<string, unknown>>
  try {
    exports = await import(pathToFileURL(file).href)
  } catch (error) {
    // defineConfig in the file has said already what is wrong.
    if (isBackupError(error)) {
      throw new BackupError(error.code, error.message, {
        hint: `Look at ${file}. ${error.hint ?? ''}`.trim(),
        cause: error,
      })
    }
    throw cannotLoad(file, error)
  }
  if (exports.default !== undefined) return exports.default
  throw new BackupError('CONFIG_INVALID', `${file} has no default export.`, {
    hint: 'Write `export default defineConfig({ … })`.',
  })
}

function cannotLoad(file: string, error: unknown): BackupError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return new BackupError('CONFIG_INVALID', `${file} cannot be loaded: ${messageOf(error)}`, {
    hint: hintFor(code, file),
    cause: error,
  })
}

function hintFor(code: unknown, file: string): string {
  if (code === 'ERR_MODULE_NOT_FOUND') return 'It imports something that is not installed. Run `npm install`.'
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION')
    return 'This version of Node.js does not load TypeScript. Use 22.22.3 or newer, or .mjs.'
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX')
    return 'Node.js only strips types: enums, namespaces and the like need a .mjs file.'
  return `Run \`node ${file}\` to see the error by itself.`
}
