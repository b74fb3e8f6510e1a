export { databaseOf } from './database.ts'
export {
  type DecodeOptions,
  decodeLtx,
  type LtxDecoding,
  type LtxPages,
  type LtxVerified,
  type VerifyOptions,
  verifyLtx,
} from './decode.ts'
export {
  createLtxEncoder,
  type EncodeOptions,
  encodeLtx,
  type LtxEncoder,
  type LtxEncoding,
  type LtxFileInfo,
} from './encode.ts'
export { HEADER_SIZE, isPageSize, type LtxPage, type LtxSummary, lockPgno, type PageEncoding } from './format.ts'
export { decodeHeader, isSnapshot, type LtxHeader, type LtxWal } from './header.ts'
export { createJsKernel } from './kernel/js-kernel.ts'
export { type Crc64, defaultKernel, type LtxKernel } from './kernel/kernel.ts'
export { LtxError, type LtxErrorCode, type LtxErrorDetails } from './ltx-error.ts'
export { formatLtxName, formatTxid, parseLtxName, parseTxid, type TxidRange } from './ltx-name.ts'
export { type LtxMerging, type MergeOptions, mergeLtx, mergeLtxPages } from './merge.ts'
export { type LtxFile, openLtx } from './open.ts'
export type { IndexEntry } from './page-sizes.ts'
export { pageChecksum } from './rolling-checksum.ts'
export type { LtxInput, LtxSource } from './source.ts'
