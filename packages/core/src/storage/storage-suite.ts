import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Storage } from './storage.ts'
import { makeExpectCode, type StorageTraits, type SuiteContext } from './testing/suite/context.ts'
import { failuresSuite } from './testing/suite/failures.ts'
import { ifAbsentSuite } from './testing/suite/if-absent.ts'
import { keysAndListsSuite } from './testing/suite/keys-and-lists.ts'
import { putGetSuite } from './testing/suite/put-get.ts'

export interface StorageSuiteOptions {
  /** What the run calls this storage. */
  readonly name: string
  /** Opens the storage to test. Called once; every test works under a prefix of its own. */
  readonly open: () => Storage | Promise<Storage>
  /** What this store cannot do, if anything. */
  readonly traits?: Partial<StorageTraits>
  /** Credentials that may appear neither in the storage's name nor in any error. */
  readonly secrets?: () => readonly string[]
}

/**
 * Registers the conformance suite of the storage seam with vitest: what every storage, and every decorator, must do.
 *
 * @example
 * storageSuite({ name: 'filesystem', open: () => filesystem({ dir }), traits: { keysUnderKeys: false } })
 */
export function storageSuite({ name, open, traits = {}, secrets = () => [] }: StorageSuiteOptions): void {
  describe(`storage suite: ${name}`, { timeout: 120_000 }, () => {
    let storage: Storage | undefined
    let count = 0
    const run = randomBytes(4).toString('hex')
    const context: SuiteContext = {
      storage() {
        if (storage === undefined) throw new Error('The storage did not open.')
        return storage
      },
      freshPrefix: () => `suite-${run}/${++count}/`,
      traits: {
        fencing: 'conditional-put',
        ifAbsentMaxBytes: Number.POSITIVE_INFINITY,
        keysUnderKeys: true,
        etags: true,
        ...traits,
      },
      expectCode: makeExpectCode(secrets),
    }
    beforeAll(async () => {
      storage = await open()
    })
    afterAll(() => storage?.close?.())

    it('has a name for people, without credentials', () => {
      const { name, kind } = context.storage()
      expect(name).not.toBe('')
      expect(kind).toMatch(/^[a-z0-9-]+$/)
      expect(name).not.toMatch(/:\/\/[^/]*:[^/]*@/)
      for (const secret of secrets()) expect(name).not.toContain(secret)
    })

    putGetSuite(context)
    ifAbsentSuite(context)
    keysAndListsSuite(context)
    failuresSuite(context)
  })
}
