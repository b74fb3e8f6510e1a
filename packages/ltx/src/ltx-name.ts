import { LtxError } from './ltx-error.ts'

const NAME = /^([0-9a-f]{16})-([0-9a-f]{16})\.ltx$/
const TXID = /^[0-9a-f]{16}$/

/** The transactions a file covers, both ends included. */
export interface TxidRange {
  readonly minTxid: bigint
  readonly maxTxid: bigint
}

/** A TXID as 16 lower-case hex digits, as in file names and Litestream's `-txid`. Throws `LTX_OPTION_INVALID`. */
export function formatTxid(txid: bigint): string {
  if (typeof txid !== 'bigint' || txid < 0n || txid > 0xffffffffffffffffn) {
    throw new LtxError('LTX_OPTION_INVALID', `TXID ${txid} is no bigint of 64 bits.`)
  }
  return txid.toString(16).padStart(16, '0')
}

/** Reads 16 lower-case hex digits; `undefined` for anything else. */
export function parseTxid(text: string): bigint | undefined {
  return TXID.test(text) ? BigInt(`0x${text}`) : undefined
}

/**
 * The name of a file: `<min>-<max>.ltx`, each 16 lower-case hex digits. Throws `LTX_OPTION_INVALID`.
 *
 * @example formatLtxName({ minTxid: 1n, maxTxid: 255n }) // '0000000000000001-00000000000000ff.ltx'
 */
export function formatLtxName(range: TxidRange): string {
  if (range.minTxid < 1n || range.maxTxid < range.minTxid) {
    throw new LtxError('LTX_OPTION_INVALID', `No file covers TXID ${range.minTxid} to ${range.maxTxid}.`, {
      rule: 'minTxid is at least 1 and at most maxTxid.',
    })
  }
  return `${formatTxid(range.minTxid)}-${formatTxid(range.maxTxid)}.ltx`
}

/** Reads a file name (no folder); `undefined` for a name that Litestream would ignore, or that covers nothing. */
export function parseLtxName(name: string): TxidRange | undefined {
  const match = NAME.exec(name)
  if (!match) return undefined
  const minTxid = BigInt(`0x${match[1]}`)
  const maxTxid = BigInt(`0x${match[2]}`)
  return minTxid < 1n || maxTxid < minTxid ? undefined : { minTxid, maxTxid }
}
