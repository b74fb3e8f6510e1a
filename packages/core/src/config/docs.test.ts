// Code, schema and manual say the same about every option: docs/configuration.md has a table that is made from the code.
// After a change run: UPDATE_DOCS=1 npx vitest run packages/core/src/config/docs.test.ts
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, expectTypeOf, test } from 'vitest'
import type { z } from 'zod'
import type { Config } from './config.ts'
import { defaults, options, variables } from './defaults.ts'
import { configFileNames } from './find-config.ts'
import { bucketVariables, databaseVariables } from './from-environment.ts'
import { configJsonSchema } from './json-schema.ts'
import type { configSchema } from './schema.ts'

const manual = join(import.meta.dirname, '../../../../docs/configuration.md')

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

const expected: Readonly<Record<string, string>> = {
  options: table(
    ['option', 'type', 'default', 'variable', 'what it does'],
    Object.entries(options).map(([path, { type, default: value, variable, about }]) => [
      `\`${path.replaceAll('*', '<name>')}\``,
      type.replace(/^an? /, ''),
      value ?? '–',
      variable === undefined ? '–' : `\`${variable}\``,
      about,
    ]),
  ),
  variables: table(
    ['variable', 'what it does'],
    Object.entries(variables).map(([name, about]) => [`\`${name}\``, about]),
  ),
  buckets: table(
    ['bucket', 'with one of'],
    bucketVariables.map(({ bucket, keys }) =>
      [bucket, keys].map((names) => names.map((name) => `\`${name}\``).join(', ')),
    ),
  ),
}

test.each(Object.entries(expected))('docs/configuration.md has the table of %s', (name, text) => {
  const start = `<!-- ${name}: made from the code -->\n`
  const end = `\n<!-- /${name} -->`
  const docs = readFileSync(manual, 'utf8')
  const from = docs.indexOf(start) + start.length
  const to = docs.indexOf(end)
  expect(Math.min(from, to)).toBeGreaterThan(start.length)
  if (process.env.UPDATE_DOCS) writeFileSync(manual, docs.slice(0, from) + text + docs.slice(to))
  expect(readFileSync(manual, 'utf8')).toContain(start + text + end)
})

test('docs/configuration.md names the files, and the variables of an app', () => {
  const docs = readFileSync(manual, 'utf8')
  for (const name of [...configFileNames, ...databaseVariables]) expect(docs).toContain(`\`${name}\``)
})

/** Every option of a JSON schema by its path. */
function pathsOf(schema: unknown, path = ''): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const {
    properties = {},
    additionalProperties,
    anyOf = [],
  } = schema as {
    readonly properties?: Readonly<Record<string, unknown>>
    readonly additionalProperties?: unknown
    readonly anyOf?: readonly unknown[]
  }
  // { env, optional } stands for a text.
  if ('env' in properties) return []
  const below = (name: string, child: unknown): readonly string[] => {
    const full = path === '' ? name : `${path}.${name}`
    return [full, ...pathsOf(child, full)]
  }
  return [
    ...Object.entries(properties).flatMap(([name, child]) => below(name, child)),
    ...(typeof additionalProperties === 'object' ? below('*', additionalProperties) : []),
    ...anyOf.flatMap((child) => pathsOf(child, path)),
  ]
}

test('the schema knows exactly the options of the table', () => {
  const paths = pathsOf(configJsonSchema()).filter((path) => path !== '$schema')
  expect([...new Set(paths)].sort()).toEqual(Object.keys(options).sort())
})

test('the JSON schema describes every option, and allows nothing else', () => {
  const schema = configJsonSchema()
  expect(schema).toMatchObject({ type: 'object', additionalProperties: false })
  expect(JSON.stringify(schema)).not.toContain('{}')
  const text = JSON.stringify(schema)
  const missing = Object.values(options).filter(({ about }) => !text.includes(JSON.stringify(about)))
  expect(missing).toEqual([])
})

test('the types and the schema take the same configs', () => {
  expectTypeOf<z.output<typeof configSchema>>().toExtend<Config>()
})

test('defaults cannot be changed by accident', () => {
  const isFrozen = (value: unknown): boolean =>
    typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(isFrozen))
  expect(isFrozen(defaults)).toBe(true)
})
