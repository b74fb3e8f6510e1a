/** Reads the fields of one JSON object; anything unexpected goes to `fail` with the path of the field. */
export interface Fields {
  text(key: string): string
  optionalText(key: string): string | undefined
  /** A whole number of 0 or more. */
  count(key: string): number
  optionalCount(key: string): number | undefined
  integer(key: string): number
  /** Any number of 0 or more. */
  amount(key: string): number
  /** ISO 8601 with milliseconds, UTC. */
  time(key: string): string
  sha256(key: string): string
  oneOf<T extends string>(key: string, values: readonly T[]): T
  optionalOneOf<T extends string>(key: string, values: readonly T[]): T | undefined
  optionalTexts(key: string): readonly string[] | undefined
  textsOr<T extends string>(key: string, word: T): readonly string[] | T
  /** Numbers by name. */
  optionalCounts(key: string): Readonly<Record<string, number>> | undefined
  object(key: string): Fields
  optionalObject(key: string): Fields | undefined
}

type Fail = (problem: string) => never

/** @throws what `fail` throws */
export function readFields(value: unknown, path: string, fail: Fail): Fields {
  if (!isObject(value)) return fail(`${path === '' ? 'it' : path} is not an object`)
  // Own properties only: "constructor" is not a field.
  const at = (key: string): unknown => (Object.hasOwn(value, key) ? value[key] : undefined)
  const wrong = (key: string, wanted: string): never => {
    const found = at(key)
    const name = path === '' ? key : `${path}.${key}`
    return fail(found === undefined ? `${name} is missing` : `${name} should be ${wanted}, not ${shown(found)}`)
  }
  const isMissing = (key: string): boolean => at(key) === undefined

  const fields: Fields = {
    text(key) {
      const found = at(key)
      return typeof found === 'string' && found !== '' ? found : wrong(key, 'text')
    },
    optionalText: (key) => (isMissing(key) ? undefined : fields.text(key)),
    count(key) {
      const found = at(key)
      return isCount(found) ? found : wrong(key, 'a whole number')
    },
    optionalCount: (key) => (isMissing(key) ? undefined : fields.count(key)),
    integer(key) {
      const found = at(key)
      return Number.isSafeInteger(found) ? Number(found) : wrong(key, 'an integer')
    },
    amount(key) {
      const found = at(key)
      return typeof found === 'number' && Number.isFinite(found) && found >= 0 ? found : wrong(key, 'a number')
    },
    time(key) {
      const found = at(key)
      const isTime = typeof found === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(found)
      const date = new Date(isTime ? found : Number.NaN)
      const isReal = !Number.isNaN(date.getTime()) && date.toISOString() === found
      return isReal ? found : wrong(key, 'a time like 2026-11-20T03:00:00.000Z')
    },
    sha256(key) {
      const found = at(key)
      const isDigest = typeof found === 'string' && /^[0-9a-f]{64}$/.test(found)
      return isDigest ? found : wrong(key, '64 lower-case hex digits')
    },
    oneOf(key, values) {
      const found = at(key)
      return values.find((each) => each === found) ?? wrong(key, `one of ${values.join(', ')}`)
    },
    optionalOneOf: (key, values) => (isMissing(key) ? undefined : fields.oneOf(key, values)),
    optionalTexts: (key) => (isMissing(key) ? undefined : (texts(at(key)) ?? wrong(key, 'a list of texts'))),
    textsOr(key, word) {
      const found = at(key)
      return found === word ? word : (texts(found) ?? wrong(key, `a list of texts, or "${word}"`))
    },
    optionalCounts(key) {
      if (isMissing(key)) return undefined
      const found = at(key)
      if (!isObject(found) || !Object.values(found).every(isCount)) return wrong(key, 'whole numbers by name')
      return found as Readonly<Record<string, number>>
    },
    object: (key) => (isObject(at(key)) ? readFields(at(key), key, fail) : wrong(key, 'an object')),
    optionalObject: (key) => (isMissing(key) ? undefined : fields.object(key)),
  }
  return fields
}

function texts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((each) => typeof each === 'string') ? value : undefined
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value)
  return json.length > 60 ? `${json.slice(0, 60)}…` : json
}
