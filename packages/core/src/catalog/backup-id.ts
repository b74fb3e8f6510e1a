import { BackupError } from '../errors.ts'

/** What a backup is called by us: when it was made, and something random. */
export interface BackupStamp {
  /** The moment of the pin. */
  readonly created: Date
  /** Eight characters a–z, 2–7. */
  readonly random: string
}

// RFC 4648's base32 in lower case: 5 bytes fit 8 characters exactly.
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
export const randomPattern = '[a-z2-7]{8}'

const idPattern = new RegExp(`^(\\d{4})(\\d{2})(\\d{2})T(\\d{2})(\\d{2})(\\d{2})(?:\\.\\d{3})?Z-(${randomPattern})$`)

/** The random part of an id, from at least five random bytes. */
export function randomPart(bytes: Uint8Array): string {
  if (bytes.byteLength < 5) throw new BackupError('INTERNAL', 'A backup id needs five random bytes.')
  let bits = 0n
  for (const byte of bytes.subarray(0, 5)) bits = (bits << 8n) | BigInt(byte)
  let text = ''
  for (let shift = 35n; shift >= 0n; shift -= 5n) text += alphabet[Number((bits >> shift) & 31n)]
  return text
}

/** The id users see, like `20261120T030000Z-k3v7qa2m`: it contains the date, so finding it is one LIST. */
export function backupId(created: Date, random: Uint8Array): string {
  return idOf({ created, random: randomPart(random) })
}

/** The id of a stamp. */
export function idOf({ created, random }: BackupStamp): string {
  return `${timeStamp(created).replace(/\.\d{3}Z$/, 'Z')}-${random}`
}

/** Day and second of an id, and its random part; undefined when the text is no id. Milliseconds, as keys have them, may be there. */
export function parseBackupId(text: string): { readonly second: Date; readonly random: string } | undefined {
  const [, year, month, day, hour, minute, second, random] = idPattern.exec(text) ?? []
  if (random === undefined) return undefined
  const at = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`)
  return isRealTime(at, `${year}${month}${day}T${hour}${minute}${second}.000Z`) ? { second: at, random } : undefined
}

/** A moment as keys have it: `20261120T030000.000Z`. Sorted as text it is sorted by time. */
export function timeStamp(at: Date): string {
  const iso = at.toISOString()
  // Years beyond 9999 get a sign and six digits, which sorts wrongly.
  if (iso.length !== 24) throw new BackupError('KEY_INVALID', `${iso} cannot be part of a key.`)
  return iso.replaceAll(/[-:]/g, '')
}

/** The moment that {@link timeStamp} wrote; undefined when it is not one. */
export function parseTimeStamp(stamp: string): Date | undefined {
  const [, year, month, day, hour, minute, rest] =
    /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2}\.\d{3}Z)$/.exec(stamp) ?? []
  if (rest === undefined) return undefined
  const at = new Date(`${year}-${month}-${day}T${hour}:${minute}:${rest}`)
  return isRealTime(at, stamp) ? at : undefined
}

// Date rolls 31 February over to March; only what comes back unchanged was a date.
function isRealTime(at: Date, stamp: string): boolean {
  return !Number.isNaN(at.getTime()) && timeStamp(at) === stamp
}
