import { expect } from 'vitest'
import { type ErrorCode, isBackupError, serializeError } from '../../../errors.ts'
import { listAll, type Storage } from '../../storage.ts'

/** What not every store can do. The names of the tests show which ones were declared. */
export interface StorageTraits {
  /** What `fencing()` must answer. @default 'conditional-put' */
  readonly fencing: 'conditional-put' | 'none'
  /** The largest body `ifAbsent` takes; a larger one is refused with `STORAGE_UNSUPPORTED`. @default Infinity */
  readonly ifAbsentMaxBytes: number
  /** `a` and `a/b` can both be objects. Otherwise the second one is refused with `KEY_INVALID`. @default true */
  readonly keysUnderKeys: boolean
  /** Objects have etags, and `ifMatch` compares them. @default true */
  readonly etags: boolean
}

/** What each group of the suite gets. */
export interface SuiteContext {
  readonly storage: () => Storage
  /** A prefix ending in `/` that nobody used before, so that tests can share one storage. */
  readonly freshPrefix: () => string
  readonly traits: StorageTraits
  /** Expects a rejection with this code, whose text holds none of the secrets. */
  readonly expectCode: (promise: Promise<unknown>, ...codes: readonly ErrorCode[]) => Promise<void>
}

export function makeExpectCode(secrets: () => readonly string[]): SuiteContext['expectCode'] {
  return async (promise, ...codes) => {
    const error = await promise.then(
      (value) => expect.fail(`expected ${codes.join(' or ')}, but it resolved to ${JSON.stringify(value)}`),
      (reason: unknown) => reason,
    )
    if (!isBackupError(error)) throw error
    expect(codes, error.message).toContain(error.code)
    const shown = JSON.stringify(serializeError(error))
    for (const secret of secrets()) expect(shown).not.toContain(secret)
  }
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export async function readAll(storage: Storage, key: string): Promise<Buffer> {
  const { stream } = await storage.get(key)
  return collect(stream)
}

export async function keysUnder(storage: Storage, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of listAll(storage, { prefix })) keys.push(key.slice(prefix.length))
  return keys
}

/** Compares without printing megabytes when they differ. */
export function expectSameBytes(actual: Uint8Array, expected: Uint8Array): void {
  expect(actual.byteLength).toBe(expected.byteLength)
  expect(Buffer.compare(actual, expected) === 0, 'the bytes are the same').toBe(true)
}

/** Calls `task` for every item, at most `width` at a time. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  task: (item: T) => Promise<unknown>,
): Promise<void> {
  const queue = items.values()
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of queue) await task(item)
    }),
  )
}
