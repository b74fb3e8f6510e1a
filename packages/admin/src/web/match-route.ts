/** A route whose path has been compared, and what its `:names` stand for. */
export interface RouteMatch<R> {
  readonly route: R
  readonly params: Readonly<Record<string, string>>
}

/**
 * The first route of a table that has this method and path. `methods`: what the path would answer to, when it knows the
 * path but not the method.
 */
export function matchRoute<R extends { readonly method: string; readonly path: string }>(
  routes: readonly R[],
  method: string,
  path: string,
): RouteMatch<R> | { readonly methods: readonly string[] } {
  const wanted = method === 'HEAD' ? 'GET' : method
  const methods: string[] = []
  for (const route of routes) {
    const params = matchPath(route.path, path)
    if (params === undefined) continue
    if (route.method === wanted) return { route, params }
    methods.push(route.method)
  }
  return { methods }
}

function matchPath(pattern: string, path: string): Readonly<Record<string, string>> | undefined {
  const wanted = pattern.split('/')
  const given = path.split('/')
  if (wanted.length !== given.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? ''
    if (part.startsWith(':')) {
      const decoded = decode(value)
      if (decoded === undefined || decoded === '') return undefined
      params[part.slice(1)] = decoded
    } else if (part !== value) return undefined
  }
  return params
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    // `%zz` is no path of ours: the caller answers 404.
    return undefined
  }
}
