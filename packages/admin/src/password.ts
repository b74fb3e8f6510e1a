import { createHash, timingSafeEqual } from 'node:crypto'
import type { Authorize } from './authorize.ts'

/** What {@link password} looks at; every host can give it. */
export interface PasswordInput {
  readonly headers: Headers
  /** Who is asking, for the limit of attempts: an IP address. */
  readonly address?: string | undefined
}

export interface PasswordOptions {
  /** @default process.env */
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly now?: () => number
}

/** An {@link Authorize} that works with any host, because it only reads the Authorization header. */
export interface PasswordAuth {
  readonly kind: 'password'
  readonly authorize: Authorize<PasswordInput>
}

const MIN_LENGTH = 12
const MAX_FAILURES = 10
const WINDOW_MS = 5 * 60_000
const MAX_ADDRESSES = 10_000

/**
 * For apps without a login: the browser asks for a password, which is read from an environment variable. Compared in
 * constant time; ten wrong ones from an address, and it waits five minutes. Who knows it may do everything, so it is one
 * person: restores that need two people need a login of yours.
 *
 * @example
 * backupAdmin({ authorize: password('ADMIN_PASSWORD') })
 * @throws Error when the variable is not set or shorter than 12 characters
 */
export function password(variable: string, options: PasswordOptions = {}): PasswordAuth {
  const { environment = process.env, now = Date.now } = options
  const secret = environment[variable] ?? ''
  if (secret.length < MIN_LENGTH) {
    throw new Error(
      `The admin needs a password of at least ${MIN_LENGTH} characters in ${variable}` +
        ` (it ${secret === '' ? 'is not set' : 'is shorter'}). Make one: openssl rand -base64 24`,
    )
  }
  const wanted = digest(secret)
  const failures = new Map<string, { count: number; sinceMs: number }>()

  return {
    kind: 'password',
    authorize({ headers, address = '' }) {
      const who = networkOf(address)
      const at = now()
      const failed = failures.get(who)
      const isRecent = failed !== undefined && at - failed.sinceMs < WINDOW_MS
      if (failed !== undefined && isRecent && failed.count >= MAX_FAILURES) {
        const waitSeconds = Math.ceil((failed.sinceMs + WINDOW_MS - at) / 1000)
        return new Response('Too many wrong passwords. Wait a few minutes.\n', {
          status: 429,
          headers: { 'retry-after': String(waitSeconds), 'content-type': 'text/plain; charset=utf-8' },
        })
      }
      const given = passwordIn(headers.get('authorization'))
      if (given !== undefined && timingSafeEqual(digest(given), wanted)) {
        failures.delete(who)
        return { actor: { id: 'admin' }, permissions: 'all' }
      }
      if (given !== undefined) {
        // The oldest is forgotten first: a flood of addresses does not grow the map.
        if (failures.size >= MAX_ADDRESSES)
          for (const oldest of failures.keys()) {
            failures.delete(oldest)
            break
          }
        failures.set(
          who,
          isRecent && failed !== undefined ? { ...failed, count: failed.count + 1 } : { count: 1, sinceMs: at },
        )
      }
      return new Response('The password, please. Any user name will do.\n', {
        status: 401,
        headers: {
          'www-authenticate': 'Basic realm="Backups", charset="UTF-8"',
          'content-type': 'text/plain; charset=utf-8',
        },
      })
    },
  }
}

/** Hashed first, so that both sides have one length. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function passwordIn(header: string | null): string | undefined {
  const encoded = /^Basic ([A-Za-z0-9+/=]{1,4000})$/i.exec(header ?? '')?.[1]
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon === -1 ? undefined : text.slice(colon + 1)
}

/** One house has one IPv6 /64, and many addresses in it. */
function networkOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address
  const [left = '', right] = address.split('::')
  const groups = left === '' ? [] : left.split(':')
  // `::` stands for as many zeros as are missing.
  const zeros = right === undefined ? 0 : 8 - groups.length - right.split(':').length
  const whole = [...groups, ...Array<string>(Math.max(0, zeros)).fill('0'), ...(right?.split(':') ?? [])]
  return whole
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16))
    .join(':')
}
