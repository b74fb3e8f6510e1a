import { identityOf } from './identity-of.ts'
import type { Storage } from './storage.ts'

export type StorageOperation = 'put' | 'get' | 'head' | 'list' | 'delete' | 'fencing'

export interface CountedStorage extends Storage {
  /** Calls so far, of each kind. */
  readonly counts: Readonly<Record<StorageOperation, number>>
  /** Calls so far, all together. */
  total(): number
  reset(): void
}

/**
 * Counts the calls that reach a storage: for tests that hold request budgets.
 *
 * @example
 * const counted = withCount(storage)
 * await findNewest(counted)
 * expect(counted.total()).toBeLessThanOrEqual(5)
 */
export function withCount(storage: Storage): CountedStorage {
  const counts = { put: 0, get: 0, head: 0, list: 0, delete: 0, fencing: 0 }
  return {
    ...identityOf(storage),
    counts,
    total: () => Object.values(counts).reduce((sum, count) => sum + count, 0),
    reset() {
      for (const operation of Object.keys(counts) as StorageOperation[]) counts[operation] = 0
    },
    put(key, body, options) {
      counts.put++
      return storage.put(key, body, options)
    },
    get(key, options) {
      counts.get++
      return storage.get(key, options)
    },
    head(key, options) {
      counts.head++
      return storage.head(key, options)
    },
    list(options) {
      counts.list++
      return storage.list(options)
    },
    delete(keys, options) {
      counts.delete++
      return storage.delete(keys, options)
    },
    fencing(options) {
      counts.fencing++
      return storage.fencing(options)
    },
  }
}
