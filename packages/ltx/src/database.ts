import type { LtxPages } from './decode.ts'
import { lockPgno } from './format.ts'
import { isSnapshot } from './header.ts'
import { LtxError } from './ltx-error.ts'

/**
 * The bytes of the database file that a snapshot (or a merge that begins with one) holds, in order, page by page.
 *
 * The lock page, which no file stores, is zeros. The database is only known to be good once the iteration ended without an
 * error. Throws `LTX_SNAPSHOT_INCOMPLETE` for a file that does not begin at TXID 1.
 *
 * @example
 * await pipeline(databaseOf(await mergeLtxPages([snapshot, ...changes])), createWriteStream('app.db'))
 */
export async function* databaseOf(file: LtxPages): AsyncGenerator<Uint8Array, void, undefined> {
  if (!file?.header) {
    throw new LtxError('LTX_SOURCE_INVALID', 'These are not the pages of a file.', {
      hint: 'Both calls that give them have to be awaited: databaseOf(await mergeLtxPages(inputs)), databaseOf(await decodeLtx(input)).',
    })
  }
  const { pageSize } = file.header
  if (!isSnapshot(file.header)) {
    await file.close()
    throw new LtxError('LTX_SNAPSHOT_INCOMPLETE', `The file begins at TXID ${file.header.minTxid}.`, {
      offset: 16,
      rule: 'Only a file that begins at TXID 1 holds every page.',
      hint: 'Merge it with the snapshot and the files before it: mergeLtxPages([snapshot, ...files]).',
    })
  }
  const lock = lockPgno(pageSize)
  let due = 1
  for await (const { pgno, data } of file) {
    if (due === lock && pgno > lock) yield new Uint8Array(pageSize)
    yield data
    due = pgno + 1
  }
  if (due === lock && file.header.commit >= lock) yield new Uint8Array(pageSize)
}
