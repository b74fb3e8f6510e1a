import fc from 'fast-check'
import type { EncodeOptions, LtxFileInfo, LtxPage } from '../index.ts'
import { encodeLtx } from '../index.ts'
import { bytesOf } from './files.ts'

/** A database as the plainest model there is: its size, and its pages. */
export interface Model {
  readonly commit: number
  readonly pages: ReadonlyMap<number, Uint8Array>
}

/** One transaction: what it writes, and the database after it. */
export interface Step {
  readonly info: LtxFileInfo
  readonly prevCommit: number
  readonly written: readonly LtxPage[]
  readonly encoding: 'frame' | 'block'
  readonly after: Model
}

/** What a page is filled with: zeros, text, noise, or half of each, told apart by its seed. */
export function contentOf(seed: number, pageSize: number): Uint8Array {
  const bytes = new Uint8Array(pageSize)
  let state = seed | 1
  const noise = () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9
    return (state >>> 13) & 255
  }
  const text = new TextEncoder().encode(`row ${seed} of the table, and so on; `)
  const kind = seed % 4
  for (let at = 0; kind > 0 && at < pageSize; at++) {
    if (kind === 1) bytes[at] = text[at % text.length] ?? 0
    else bytes[at] = kind === 2 || at % 64 < 32 ? noise() : seed & 255
  }
  return bytes
}

const change = fc.record({
  /** The new size of the database; it shrinks and grows as it likes. */
  commit: fc.integer({ min: 1, max: 40 }),
  /** Pages that are written besides those that are new. */
  touched: fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 10 }),
  seed: fc.integer({ min: 0, max: 1 << 20 }),
  encoding: fc.constantFrom('frame' as const, 'block' as const),
})

/** Random lives of a database, from its first transaction on. */
export const history: fc.Arbitrary<Step[]> = fc
  .record({
    pageSize: fc.constantFrom(512, 512, 1024, 4096, 65536),
    changes: fc.array(change, { minLength: 1, maxLength: 12 }),
  })
  .map(({ pageSize, changes }) => {
    const steps: Step[] = []
    let before: Model = { commit: 0, pages: new Map() }
    changes.forEach(({ commit, touched, seed, encoding }, index) => {
      const pages = new Map([...before.pages].filter(([pgno]) => pgno <= commit))
      const written = new Map<number, Uint8Array>()
      for (let pgno = 1; pgno <= commit; pgno++) {
        if (pgno <= before.commit && !touched.includes(pgno)) continue
        written.set(pgno, contentOf(seed + pgno * 7, pageSize))
      }
      for (const [pgno, data] of written) pages.set(pgno, data)
      const txid = BigInt(index + 1)
      const wal = { offset: 32, size: written.size * (24 + pageSize), salt1: seed, salt2: 7 }
      const after = { commit, pages }
      steps.push({
        info: { pageSize, commit, minTxid: txid, maxTxid: txid, timestampMs: 1_700_000_000_000 + index, wal },
        prevCommit: before.commit,
        written: [...written].map(([pgno, data]) => ({ pgno, data })),
        encoding,
        after,
      })
      before = after
    })
    // Without this, a counterexample is printed with every byte of every page.
    const describe = () => steps.map(({ info, written }) => `${info.commit}/${written.length}`).join(' ')
    return Object.assign(steps, { [fc.toStringMethod]: () => `[${pageSize}: ${describe()}]` })
  })

/** The file of a transaction. */
export function fileOf(step: Step, options: EncodeOptions = {}): Promise<Uint8Array> {
  const prevCommit = step.prevCommit === 0 ? {} : { prevCommit: step.prevCommit }
  return bytesOf(encodeLtx(step.info, step.written, { encoding: step.encoding, ...prevCommit, ...options }))
}

/** The database file of a model. */
export function imageOf(model: Model, pageSize: number): Uint8Array {
  const image = new Uint8Array(model.commit * pageSize)
  for (const [pgno, data] of model.pages) image.set(data, (pgno - 1) * pageSize)
  return image
}
