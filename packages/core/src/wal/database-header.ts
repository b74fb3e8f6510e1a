/** What the first 100 bytes of a database say: https://sqlite.org/fileformat2.html#the_database_header */
export interface DatabaseHeader {
  readonly pageSize: number
  readonly journalMode: 'wal' | 'rollback'
  /** Its format version lets SQLite read it, and not write. */
  readonly isReadOnly: boolean
  /** Bumped by each transaction in rollback mode. */
  readonly changeCounter: number
  /** Pages, as far as the header may be believed (see `versionValidFor` in the format). 0 when it may not. */
  readonly pageCount: number
  readonly schemaCookie: number
  readonly userVersion: number
  readonly applicationId: number
}

export const databaseHeaderBytes = 100

const MAGIC = Buffer.from('SQLite format 3\0', 'latin1')

/** Why these bytes are not the header of a database we can read. */
export type HeaderProblem = {
  readonly problem: 'not-sqlite' | 'corrupt' | 'unknown-format'
  readonly detail: string
}

export function isHeaderProblem(value: DatabaseHeader | HeaderProblem): value is HeaderProblem {
  return 'problem' in value
}

/** Reads the header, or says what is wrong with it. */
export function parseDatabaseHeader(bytes: Buffer): DatabaseHeader | HeaderProblem {
  if (bytes.length < MAGIC.length || bytes.compare(MAGIC, 0, MAGIC.length, 0, MAGIC.length) !== 0) {
    return { problem: 'not-sqlite', detail: 'it does not begin with "SQLite format 3"' }
  }
  if (bytes.length < databaseHeaderBytes) {
    return { problem: 'corrupt', detail: `it ends within its header, after ${bytes.length} bytes` }
  }
  const rawPageSize = bytes.readUInt16BE(16)
  const pageSize = rawPageSize === 1 ? 65536 : rawPageSize
  if (pageSize < 512 || (pageSize & (pageSize - 1)) !== 0) {
    return { problem: 'corrupt', detail: `its page size would be ${pageSize}` }
  }
  const [writeVersion, readVersion] = [bytes[18] as number, bytes[19] as number]
  if (readVersion < 1 || writeVersion < 1) {
    return { problem: 'corrupt', detail: `its format version would be ${writeVersion}/${readVersion}` }
  }
  if (bytes[21] !== 64 || bytes[22] !== 32 || bytes[23] !== 32) {
    return { problem: 'corrupt', detail: 'its payload fractions are not 64, 32 and 32' }
  }
  if (readVersion > 2) {
    return { problem: 'unknown-format', detail: `its format version is ${writeVersion}/${readVersion}` }
  }
  const changeCounter = bytes.readUInt32BE(24)
  return {
    pageSize,
    journalMode: readVersion === 2 ? 'wal' : 'rollback',
    isReadOnly: writeVersion > 2,
    changeCounter,
    pageCount: bytes.readUInt32BE(92) === changeCounter ? bytes.readUInt32BE(28) : 0,
    schemaCookie: bytes.readUInt32BE(40),
    userVersion: bytes.readInt32BE(60),
    applicationId: bytes.readInt32BE(68),
  }
}

/**
 * Whether bytes that are no SQLite header look like noise, as an encrypted database does (SQLCipher begins with a
 * random salt), rather than like some other kind of file. Needs about a page.
 */
export function looksEncrypted(bytes: Buffer): boolean {
  if (bytes.length < 512) return false
  const counts = new Uint32Array(256)
  for (const byte of bytes) counts[byte] = (counts[byte] as number) + 1
  let entropyBits = 0
  for (const count of counts) {
    if (count > 0) entropyBits -= (count / bytes.length) * Math.log2(count / bytes.length)
  }
  // n random bytes fall short of 8 bits by about 255 / (2 n ln 2), by the Miller-Madow bias; 0.2 is room for luck.
  return entropyBits > 8 - 255 / (2 * bytes.length * Math.LN2) - 0.2
}
