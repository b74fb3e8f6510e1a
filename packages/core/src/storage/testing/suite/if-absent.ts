import { describe, expect, it } from 'vitest'
import { isBackupError } from '../../../errors.ts'
import { bytesBody } from '../../storage.ts'
import { chunkedBody, MiB, patternBytes } from './bodies.ts'
import { expectSameBytes, readAll, type SuiteContext } from './context.ts'

export function ifAbsentSuite({ storage, freshPrefix, traits, expectCode }: SuiteContext): void {
  const { fencing, ifAbsentMaxBytes } = traits

  async function race(key: string, writers: number, sizeBytes: number): Promise<void> {
    const bodies = Array.from({ length: writers }, (_, i) => patternBytes(sizeBytes, i + 1))
    const results = await Promise.allSettled(
      bodies.map((bytes) => storage().put(key, chunkedBody(bytes), { ifAbsent: true })),
    )
    for (const result of results) {
      if (result.status === 'rejected' && !isBackupError(result.reason, 'OBJECT_EXISTS')) throw result.reason
    }
    const winners = results.flatMap((result, i) => (result.status === 'fulfilled' ? [i] : []))
    expect(winners).toHaveLength(1)
    expectSameBytes(await readAll(storage(), key), bodies[winners[0] ?? 0] ?? Buffer.alloc(0))
  }

  describe('ifAbsent', () => {
    it('never replaces an object that is there', async () => {
      const key = `${freshPrefix()}object`
      await storage().put(key, bytesBody(Buffer.from('first')), { ifAbsent: true, metadata: { who: 'first' } })
      await expectCode(
        storage().put(key, bytesBody(Buffer.from('second')), { ifAbsent: true, metadata: { who: 'second' } }),
        'OBJECT_EXISTS',
      )
      expect((await readAll(storage(), key)).toString()).toBe('first')
      expect((await storage().head(key)).metadata).toEqual({ who: 'first' })
      await storage().delete([key])
      await storage().put(key, bytesBody(Buffer.from('third')), { ifAbsent: true })
      expect((await readAll(storage(), key)).toString()).toBe('third')
    })

    it(`${fencing === 'none' ? 'trait fencing=none: ' : ''}says whether it keeps two writers apart`, async () => {
      expect(await storage().fencing()).toBe(fencing)
      expect(await storage().fencing()).toBe(fencing)
    })

    if (fencing === 'conditional-put') {
      it('lets exactly one of 16 racing writers win, ten times', async () => {
        const prefix = freshPrefix()
        for (let round = 0; round < 10; round++) await race(`${prefix}${round}`, 16, 1000 + round)
      })
    }

    if (ifAbsentMaxBytes !== Number.POSITIVE_INFINITY) {
      it(`trait ifAbsentMaxBytes=${ifAbsentMaxBytes}: refuses a larger body`, async () => {
        const key = `${freshPrefix()}object`
        const body = bytesBody(patternBytes(ifAbsentMaxBytes + 1))
        await expectCode(storage().put(key, body, { ifAbsent: true }), 'STORAGE_UNSUPPORTED')
        await expectCode(storage().head(key), 'OBJECT_MISSING')
      })
    } else if (fencing === 'conditional-put') {
      it('lets exactly one of 4 racing writers of a body of many parts win', async () => {
        await race(`${freshPrefix()}object`, 4, 17 * MiB)
      })
    }
  })
}
