/** Every way a file or a call can be wrong. Switch on these, never on message text. */
export type LtxErrorCode =
  | 'LTX_OPTION_INVALID'
  | 'LTX_SOURCE_INVALID'
  | 'LTX_ALREADY_READ'
  | 'LTX_NOT_LTX'
  | 'LTX_TRUNCATED'
  | 'LTX_TRAILING_BYTES'
  | 'LTX_HEADER_INVALID'
  | 'LTX_NAME_MISMATCH'
  | 'LTX_PAGE_INVALID'
  | 'LTX_LZ4_INVALID'
  | 'LTX_PAGE_ORDER'
  | 'LTX_PAGE_BEYOND_COMMIT'
  | 'LTX_LOCK_PAGE'
  | 'LTX_SNAPSHOT_INCOMPLETE'
  | 'LTX_GROWTH_HOLE'
  | 'LTX_INDEX_INVALID'
  | 'LTX_TRAILER_INVALID'
  | 'LTX_CHECKSUM_MISMATCH'
  | 'LTX_MERGE_EMPTY'
  | 'LTX_MERGE_GAP'
  | 'LTX_MERGE_PAGE_SIZE'

/** Where an error was found and which rule of the format it breaks. */
export interface LtxErrorDetails {
  /** Byte offset in the file (of the input, for a merge) where the fault was seen. */
  readonly offset?: number
  /** The rule that is broken, as one sentence. */
  readonly rule?: string
  /** What to do about it. */
  readonly hint?: string
  /** For a merge: which input, counted from 0. */
  readonly input?: number
  readonly cause?: unknown
}

/** The only error this package throws on purpose: a code, a place in the file and the rule that is broken. */
export class LtxError extends Error {
  override readonly name = 'LtxError'
  readonly code: LtxErrorCode
  readonly offset: number | undefined
  readonly rule: string | undefined
  readonly hint: string | undefined
  readonly input: number | undefined

  constructor(code: LtxErrorCode, message: string, details: LtxErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.offset = details.offset
    this.rule = details.rule
    this.hint = details.hint
    this.input = details.input
  }
}
