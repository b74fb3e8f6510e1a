import type { PageEncoding } from './format.ts'
import { LtxError } from './ltx-error.ts'

/** Throws `LTX_OPTION_INVALID` for an option nobody knows: a misspelt one would be silently without effect. */
export function checkOptions(call: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw new LtxError('LTX_OPTION_INVALID', `The options of ${call} are not an object.`, {
      hint: `It knows: ${known.join(', ')}.`,
    })
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      throw new LtxError('LTX_OPTION_INVALID', `${call} has no option "${key}".`, {
        hint: `It knows: ${known.join(', ')}.`,
      })
    }
  }
}

/** Throws `LTX_OPTION_INVALID` for an encoding there is not. */
export function checkEncoding(encoding: PageEncoding): void {
  if (encoding === 'frame' || encoding === 'block') return
  throw new LtxError('LTX_OPTION_INVALID', `Page encoding "${encoding}".`, { hint: "It is 'frame' or 'block'." })
}

/** Whether a database can have so many pages; 0 before its first file. */
export function isPageCount(pages: number | undefined): pages is number {
  return Number.isInteger(pages) && Number(pages) >= 0 && Number(pages) <= 0xffffffff
}

/** Throws `LTX_OPTION_INVALID` for a number of pages that cannot be. Nothing is fine, where it may be left out. */
export function checkPrevCommit(prevCommit: number | undefined): void {
  if (prevCommit === undefined || isPageCount(prevCommit)) return
  throw new LtxError('LTX_OPTION_INVALID', `prevCommit is ${prevCommit}.`, {
    hint: 'It is the size of the database right before the file, in pages.',
  })
}
