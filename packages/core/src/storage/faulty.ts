import { BackupError, type ErrorCode } from '../errors.ts'
import { orAborted } from './abort.ts'
import { type Clock, systemClock } from './clock.ts'
import { identityOf } from './identity-of.ts'
import type { Body, CallOptions, Storage } from './storage.ts'
import type { StorageOperation } from './with-count.ts'

/** Which calls go wrong, and how. All that is left out matches everything. */
export interface Cue {
  readonly on?: StorageOperation
  /** Only calls with a key (or a listing's prefix) that matches. */
  readonly key?: RegExp
  /** Only from the nth matching call on, counted from 1. @default 1 */
  readonly nth?: number
  /** How many calls go wrong. @default 1 */
  readonly times?: number
  /** How likely each of them does. @default 1 */
  readonly chance?: number
  /** How long the call waits first. It goes well after that, unless told otherwise below. */
  readonly delayMs?: number
  /**
   * - `before`: the call fails and nothing happened
   * - `after`: it happened, and the answer is lost
   * - `hang`: it never answers, until its signal fires
   * - a number: it fails when so many bytes of the body or stream have passed
   * @default 'before', and with `delayMs` alone not at all
   */
  readonly fail?: 'before' | 'after' | 'hang' | number
  /** The stream of a `get` ends after so many bytes as if that were all of it. */
  readonly cutAt?: number
  /** @default 'UNAVAILABLE' */
  readonly code?: ErrorCode
  readonly retryAfterMs?: number
}

export interface FaultyOptions {
  readonly clock?: Clock
  /** From 0 to below 1. @default Math.random */
  readonly random?: () => number
}

export interface FaultyStorage extends Storage {
  /** How many calls went wrong so far. */
  hits(): number
}

/**
 * A storage that fails on cue.
 *
 * @example
 * // The first manifest is stored, but its writer never hears of it.
 * const storage = faulty(memory(), [{ on: 'put', key: /\.json$/, fail: 'after' }])
 */
export function faulty(storage: Storage, cues: readonly Cue[], options: FaultyOptions = {}): FaultyStorage {
  const { clock = systemClock, random = Math.random } = options
  const seen = cues.map(() => ({ calls: 0, hits: 0 }))
  let hits = 0

  /** The first cue that this call is for. Every cue that matches counts it. */
  function next(operation: StorageOperation, key: string): Cue | undefined {
    let found: Cue | undefined
    for (const [i, cue] of cues.entries()) {
      const count = seen[i]
      if (count === undefined || (cue.on ?? operation) !== operation || cue.key?.test(key) === false) continue
      count.calls++
      const isDue = count.calls >= (cue.nth ?? 1) && count.hits < (cue.times ?? 1)
      if (found !== undefined || !isDue || random() >= (cue.chance ?? 1)) continue
      count.hits++
      hits++
      found = cue
    }
    return found
  }

  async function call<T>(
    operation: StorageOperation,
    key: string,
    { signal }: CallOptions,
    run: (cue: Cue) => Promise<T>,
  ): Promise<T> {
    const cue = next(operation, key)
    if (cue === undefined) return run({})
    if (cue.delayMs !== undefined) await clock.sleep(cue.delayMs, signal)
    const fail = cue.fail ?? (cue.delayMs === undefined && cue.cutAt === undefined ? 'before' : undefined)
    if (fail === 'hang') return orAborted(new Promise<never>(() => {}), signal)
    if (fail === 'before') throw errorOf(cue, `${operation} ${key}`)
    const result = await run(cue)
    if (fail === 'after') throw errorOf(cue, `${operation} ${key}, after it was done`)
    return result
  }

  return {
    ...identityOf(storage),
    hits: () => hits,
    put: (key, body, put = {}) =>
      call('put', key, put, (cue) => storage.put(key, breakingBody(body, cue, `put ${key}`), put)),
    get: (key, get = {}) =>
      call('get', key, get, async (cue) => {
        const result = await storage.get(key, get)
        return { ...result, stream: breaking(result.stream, cue, `get ${key}`) }
      }),
    head: (key, head = {}) => call('head', key, head, () => storage.head(key, head)),
    list: (list = {}) => call('list', list.prefix ?? '', list, () => storage.list(list)),
    delete: (keys, one = {}) => call('delete', keys.join(' '), one, () => storage.delete(keys, one)),
    fencing: (one = {}) => call('fencing', '', one, () => storage.fencing(one)),
  }
}

function errorOf({ code = 'UNAVAILABLE', retryAfterMs }: Cue, where: string): BackupError {
  return new BackupError(code, `Failed on cue: ${where}.`, retryAfterMs === undefined ? {} : { retryAfterMs })
}

function breakingBody(body: Body, cue: Cue, where: string): Body {
  if (typeof cue.fail !== 'number') return body
  return { ...body, stream: (range) => breaking(body.stream(range), cue, where) }
}

async function* breaking(
  stream: AsyncIterable<Uint8Array>,
  cue: Cue,
  where: string,
): AsyncGenerator<Uint8Array, void, void> {
  const limit = cue.cutAt ?? (typeof cue.fail === 'number' ? cue.fail : undefined)
  if (limit === undefined) return yield* stream
  let passed = 0
  for await (const chunk of stream) {
    const head = chunk.subarray(0, limit - passed)
    if (head.byteLength > 0) yield head
    passed += head.byteLength
    if (passed >= limit && cue.cutAt !== undefined) return
    if (passed >= limit) throw errorOf(cue, `${where} at byte ${passed}`)
  }
}
