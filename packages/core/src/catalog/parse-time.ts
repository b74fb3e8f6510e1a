// A day; a minute, second or fraction of it; and where it is. `2026-11-20`, `2026-11-20 14:00`, `2026-11-20T14:00:00.5Z`.
const timePattern =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?(?: ?(Z|UTC|[+-]\d{2}:?\d{2}))?$/i

/**
 * The moment that an ISO 8601 text names; without `Z` or an offset it is in the local time zone, and a day alone is its
 * first moment. Undefined when the text is no time.
 */
export function parseTime(text: string): Date | undefined {
  const match = timePattern.exec(text.trim())
  if (match === null) return undefined
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone] = match
  const milliseconds = fraction.slice(0, 3).padEnd(3, '0')
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}.${milliseconds}`
  // Checked as UTC first: Date rolls 31 February over to March.
  const asUtc = new Date(`${local}Z`)
  if (Number.isNaN(asUtc.getTime()) || asUtc.toISOString() !== `${local}Z`) return undefined
  const at = zone === undefined ? new Date(local) : new Date(asUtc.getTime() - offsetMs(zone))
  return Number.isNaN(at.getTime()) ? undefined : at
}

function offsetMs(zone: string): number {
  const [, sign, hours = '0', minutes = '0'] = /^([+-])(\d{2}):?(\d{2})$/.exec(zone) ?? []
  const size = (Number(hours) * 60 + Number(minutes)) * 60_000
  return sign === '-' ? -size : size
}
