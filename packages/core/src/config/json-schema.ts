import { z } from 'zod'
import { configSchema } from './schema.ts'

/** The JSON schema of `sqlite-backup.config.json`, for editors. */
export function configJsonSchema(): Readonly<Record<string, unknown>> {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    // Adapters, loggers and env() cannot be written in JSON: their place in a union is left out below.
    unrepresentable: 'any',
  })
  const { properties, ...rest } = withoutEmpty(schema) as Readonly<Record<string, unknown>>
  // Editors want to be allowed the line that tells them of the schema.
  return { ...rest, title: 'sqlite-backup', properties: { $schema: { type: 'string' }, ...Object(properties) } }
}

/** An empty schema allows anything, so in a union it would undo its neighbours. */
function withoutEmpty(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutEmpty)
  if (typeof node !== 'object' || node === null) return node
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      withoutEmpty(key === 'anyOf' && Array.isArray(value) ? value.filter((each) => !isEmpty(each)) : value),
    ]),
  )
}

function isEmpty(schema: unknown): boolean {
  return typeof schema === 'object' && schema !== null && Object.keys(schema).length === 0
}
