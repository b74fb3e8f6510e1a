import { lockPgno } from './format.ts'
import { isSnapshot, type LtxHeader } from './header.ts'
import { LtxError } from './ltx-error.ts'

const SNAPSHOT_RULE = 'A file that begins at TXID 1 holds every page of the database but the lock page.'
const GROWTH_RULE =
  'A file that makes the database larger holds every new page (but the lock page), also unchanged ones.'

/** Watches the page numbers of one file, in the order they come. */
export interface PageOrder {
  /** Throws unless the page may come next. `offset` is where in the file it stands. */
  next(pgno: number, offset: number): void
  /** Throws if pages are missing at the end. */
  end(offset: number): void
}

/**
 * The rules for the pages of a file: rising numbers, none beyond the commit, no lock page, a snapshot complete, growth complete.
 *
 * `prevCommit` is the size of the database before the file. A page missing in between is invisible until a restore fails, or
 * brings back what stood there before an earlier shrink; so it is the size right before this file that counts. Where it is
 * not known (`undefined`), growth cannot be checked.
 */
export function createPageOrder(
  header: Pick<LtxHeader, 'pageSize' | 'commit' | 'minTxid'>,
  prevCommit: number | undefined,
): PageOrder {
  const { commit } = header
  const snapshot = isSnapshot(header)
  const lock = lockPgno(header.pageSize)
  const skipLock = (pgno: number) => (pgno === lock ? pgno + 1 : pgno)
  let last = 0
  let due = snapshot ? skipLock(1) : prevCommit === undefined ? Number.POSITIVE_INFINITY : skipLock(prevCommit + 1)

  function missing(offset: number): never {
    if (snapshot) {
      throw new LtxError('LTX_SNAPSHOT_INCOMPLETE', `Page ${due} of ${commit} is missing.`, {
        offset,
        rule: SNAPSHOT_RULE,
      })
    }
    throw new LtxError(
      'LTX_GROWTH_HOLE',
      `The database grew from ${prevCommit} to ${commit} pages; page ${due} is missing.`,
      {
        offset,
        rule: GROWTH_RULE,
        hint: 'Read the missing pages from the database file, or write a full copy of the database as the next file.',
      },
    )
  }

  return {
    next(pgno, offset) {
      if (pgno <= last) {
        throw new LtxError('LTX_PAGE_ORDER', `Page ${pgno} comes after page ${last}.`, {
          offset,
          rule: 'Page numbers rise strictly, from 1.',
        })
      }
      if (pgno > commit) {
        throw new LtxError('LTX_PAGE_BEYOND_COMMIT', `Page ${pgno} of a database of ${commit} pages.`, {
          offset,
          rule: 'No page number is greater than the commit of the header.',
        })
      }
      if (pgno === lock) {
        throw new LtxError('LTX_LOCK_PAGE', `Page ${pgno} is the lock page.`, {
          offset,
          rule: 'The page at 1 GiB, where SQLite keeps its locks, is never stored.',
        })
      }
      if (pgno >= due) {
        if (pgno > due) missing(offset)
        due = skipLock(pgno + 1)
      }
      last = pgno
    },
    end(offset) {
      if (due <= commit) missing(offset)
    },
  }
}
