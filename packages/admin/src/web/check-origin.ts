/** Why a request may have been sent by another site; undefined when it was not. */
export type ForeignOrigin = 'cross-site' | 'other-origin' | 'unknown-origin'

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Stateless protection against forged requests: browsers say where a request comes from, and nothing but this very
 * origin may change something. `Sec-Fetch-Site` decides; without it (plain http on a network) `Origin` must be this
 * host; without both (curl, scripts) a custom header is asked for, which no form of another site can send.
 * The same rule as Go's CrossOriginProtection: https://pkg.go.dev/net/http#CrossOriginProtection
 */
export function findForeignOrigin(request: Request, trustedOrigins: readonly string[]): ForeignOrigin | undefined {
  if (safeMethods.has(request.method)) return undefined
  const origin = request.headers.get('origin')
  if (origin !== null && trustedOrigins.includes(origin)) return undefined
  const site = request.headers.get('sec-fetch-site')
  // `same-site` is refused: a sibling subdomain is not this app.
  if (site !== null) return site === 'same-origin' ? undefined : 'cross-site'
  if (origin !== null) return hostOf(origin) === new URL(request.url).host ? undefined : 'other-origin'
  return request.headers.has('x-requested-by') ? undefined : 'unknown-origin'
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}
