import type { Storage } from '@sqlite-backup/core'
import type { Patience } from './patience.ts'

/** A storage whose small reads are waited for with patience. What is written takes as long as it takes. */
export function withPatience(storage: Storage, name: string, patience: Patience): Storage {
  const both = (given: AbortSignal | undefined, signal: AbortSignal): AbortSignal =>
    given === undefined ? signal : AbortSignal.any([given, signal])
  return {
    ...storage,
    list: (options = {}) =>
      patience.wait(name, (signal) => storage.list({ ...options, signal: both(options.signal, signal) })),
    get: (key, options = {}) =>
      patience.wait(name, (signal) => storage.get(key, { ...options, signal: both(options.signal, signal) })),
  }
}
