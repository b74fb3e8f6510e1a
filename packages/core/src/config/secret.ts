import { inspect } from 'node:util'
import { BackupError } from '../errors.ts'

export type Environment = Readonly<Record<string, string | undefined>>

// Two copies of core may be loaded: the app's, and the CLI's that reads the same config file.
const mark = Symbol.for('@sqlite-backup/core:secret')

/** A value of the environment that is read when needed and never printed. */
export interface Secret {
  /** The variable's name. */
  readonly name: string
  readonly optional: boolean
  /** The plain value; undefined when optional and not set. @throws BackupError `CONFIG_INVALID` when missing */
  reveal(environment?: Environment): string | undefined
  toString(): string
  toJSON(): string
}

/**
 * A value from the environment. It is read when it is needed, and shown as `env(NAME)` wherever it is printed.
 *
 * @example
 * defineConfig({ encryption: { passphrase: env('BACKUP_PASSPHRASE') } })
 */
export function env(name: string, options: { readonly optional?: boolean } = {}): Secret {
  return makeSecret(name, options.optional ?? false)
}

/** The same secret, read from this environment instead of the process's. */
export function bindSecret(secret: Secret, environment: Environment): Secret {
  return makeSecret(secret.name, secret.optional, environment)
}

/** A text that was written down and still is not to be shown. */
export function hiddenText(name: string, text: string): Secret {
  return makeSecret(name, false, { [name]: text })
}

export function isSecret(value: unknown): value is Secret {
  return typeof value === 'object' && value !== null && mark in value
}

function makeSecret(name: string, optional: boolean, bound?: Environment): Secret {
  const shown = `env(${name})`
  const secret = {
    name,
    optional,
    reveal(environment: Environment = bound ?? process.env): string | undefined {
      const value = environment[name]
      if (value !== undefined && value !== '') return value
      if (optional) return undefined
      throw new BackupError('CONFIG_INVALID', `The environment variable ${name} is not set, and the config needs it.`, {
        hint: `Set ${name}, or write env('${name}', { optional: true }) if it may be missing.`,
      })
    },
    toString: () => shown,
    toJSON: () => shown,
    [inspect.custom]: () => shown,
  }
  // Not enumerable, so that copies made by spreading are not secrets any more.
  Object.defineProperty(secret, mark, { value: true })
  return Object.freeze(secret)
}
