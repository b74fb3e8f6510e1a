import type { z } from 'zod'
import { BackupError } from '../errors.ts'
import type { Config } from './config.ts'
import { options } from './defaults.ts'
import { configSchema } from './schema.ts'
import { suggestName } from './suggest-name.ts'

type Issue = z.core.$ZodIssue
type Path = readonly PropertyKey[]

export interface ValidateOptions {
  /** Where the config is from, for the hint: a file, or `the environment`. */
  readonly source?: string | undefined
  /** What to call an option in a message instead of its path, like the variable that set it. */
  readonly nameOf?: ((path: string) => string | undefined) | undefined
}

/**
 * Checks what somebody wrote, at every depth. Unknown options are errors with the nearest name that exists.
 * @throws BackupError `CONFIG_INVALID` with every problem in its message
 */
export function validateConfig(value: unknown, { source, nameOf }: ValidateOptions = {}): Config {
  const result = configSchema.safeParse(value)
  if (result.success) return result.data
  const problems = result.error.issues.flatMap((issue) => describe(issue, value, nameOf ?? (() => undefined)))
  const where = source === undefined ? '' : `Look at ${source}. `
  throw new BackupError('CONFIG_INVALID', [...new Set(problems)].join(' '), {
    hint: `${where}docs/configuration.md lists every option.`,
  })
}

function describe(issue: Issue, root: unknown, nameOf: (path: string) => string | undefined): readonly string[] {
  const { path } = issue
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => describeUnknown(path, key))
  const value = valueAt(root, path)
  const inner = issue.code === 'invalid_union' ? objectIssues(issue, value) : undefined
  if (inner !== undefined) {
    return inner.flatMap((each) => describe({ ...each, path: [...path, ...each.path] }, root, nameOf))
  }
  const shownPath = path.map(String).join('.')
  const name = nameOf(shownPath) ?? (shownPath === '' ? 'The config' : shownPath)
  if (issue.code === 'invalid_key') {
    return [`${JSON.stringify(String(path.at(-1)))} ${issue.issues[0]?.message ?? 'is no valid name'}.`]
  }
  if (issue.code === 'custom' && issue.message.startsWith('should be right: ')) {
    return [`${name}: ${issue.message.slice('should be right: '.length).trim()}`]
  }
  // One of a list: its own message says what it should be, and `encryption` what it must not show.
  if (typeof path.at(-1) === 'number' && issue.code !== 'invalid_union') return [`${name} ${issue.message}.`]
  const wanted = options[genericPath(path)]?.type.replaceAll('`', '') ?? 'an object'
  if (value === undefined) return [`${name} is missing: it should be ${wanted}.`]
  // What stands under `encryption` may be a secret in the wrong place.
  if (path[0] === 'encryption' || path[0] === 'notify') return [`${name} should be ${wanted}.${secretAdvice(path)}`]
  const detail = issue.code === 'custom' || issue.code === 'invalid_format' ? ` (it ${issue.message})` : ''
  return [`${name} should be ${wanted}, not ${shown(value)}${detail}.`]
}

function describeUnknown(path: Path, key: string): string {
  const folder = genericPath(path)
  const known = childrenOf(folder)
  const full = [...path.map(String), key].join('.')
  const near = suggestName(key, known)
  if (near !== undefined) return `Unknown option "${full}". Did you mean "${[...path.map(String), near].join('.')}"?`
  const elsewhere = Object.keys(options)
    .filter((each) => each.split('.').at(-1) === key)
    .map((each) => `"${each.replace('*', '<name>')}"`)
  if (elsewhere.length > 0) return `Unknown option "${full}". Did you mean ${elsewhere.join(' or ')}?`
  return `Unknown option "${full}". Here one can say: ${known.join(', ')}.`
}

/** Options that are an object or something else, where the object comes last. */
const orObject = ['databases.*', 'jobs', 'jobs.*', 'retention']

/** What is wrong with the object form of an option that may also be a path, a reference or `false`. */
function objectIssues(issue: Issue & { readonly code: 'invalid_union' }, value: unknown): readonly Issue[] | undefined {
  if (!orObject.includes(genericPath(issue.path)) || typeof value !== 'object' || value === null || 'env' in value) {
    return undefined
  }
  return issue.errors.at(-1)
}

/** `databases.app.path` → `databases.*.path` */
function genericPath(path: Path): string {
  return path
    .map((segment, index) =>
      index === 1 && ['databases', 'storages', 'jobs'].includes(String(path[0])) ? '*' : String(segment),
    )
    .filter((segment) => !/^\d+$/.test(segment))
    .join('.')
}

function childrenOf(folder: string): readonly string[] {
  const prefix = folder === '' ? '' : `${folder}.`
  return Object.keys(options)
    .filter((path) => path.startsWith(prefix))
    .map((path) => path.slice(prefix.length))
    .filter((rest) => rest !== '*' && !rest.includes('.'))
}

function secretAdvice(path: Path): string {
  return path[1] === 'passphrase' || path[1] === 'identities'
    ? ' Secrets do not belong in a config: write env(\'NAME\'), or { "env": "NAME" } in JSON.'
    : ''
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
    root,
  )
}

function shown(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object'
  const json = JSON.stringify(value) ?? String(value)
  return json.length > 60 ? `${json.slice(0, 60)}…` : json
}
