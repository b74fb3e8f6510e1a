import { AdminError } from './admin-error.ts'

const MAX_BODY_BYTES = 64 * 1024
const MAX_VALUE_LENGTH = 1000

/** What a form or a JSON object said, as text; numbers and booleans of JSON as their text. */
export type Input = Readonly<Record<string, string>>

/**
 * The fields of a small body, of a form or of JSON.
 * @throws AdminError `BODY_TOO_LARGE`, `BODY_INVALID`
 */
export async function readInput(request: Request): Promise<Input> {
  const text = await readText(request)
  if (text === '') return {}
  const type = (request.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase()
  if (type === 'application/x-www-form-urlencoded') return bounded([...new URLSearchParams(text)])
  if (type !== 'application/json') {
    throw new AdminError(415, 'BODY_INVALID', 'The body should be a form (urlencoded) or JSON.')
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new AdminError(400, 'BODY_INVALID', 'The body is not JSON.', { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AdminError(400, 'BODY_INVALID', 'The body should be a JSON object.')
  }
  return bounded(
    Object.entries(value).map(([name, field]: [string, unknown]) => {
      if (typeof field === 'string') return [name, field]
      if (typeof field === 'number' || typeof field === 'boolean') return [name, String(field)]
      throw new AdminError(400, 'BODY_INVALID', `The field ${JSON.stringify(name.slice(0, 50))} should be text.`)
    }),
  )
}

/** The query of an address, each value short enough to be meant. @throws AdminError `BODY_TOO_LARGE` */
export function readQuery(url: URL): Input {
  return bounded([...url.searchParams])
}

function bounded(entries: readonly (readonly [string, string])[]): Input {
  const fields: Record<string, string> = Object.create(null)
  for (const [name, value] of entries) {
    if (name.length > 100 || value.length > MAX_VALUE_LENGTH) {
      throw new AdminError(413, 'BODY_TOO_LARGE', `A field has more than ${MAX_VALUE_LENGTH} characters.`)
    }
    fields[name] = value
  }
  return fields
}

async function readText(request: Request): Promise<string> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of request.body ?? []) {
    sizeBytes += chunk.byteLength
    if (sizeBytes > MAX_BODY_BYTES) {
      throw new AdminError(413, 'BODY_TOO_LARGE', `The body has more than ${MAX_BODY_BYTES / 1024} KB.`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
