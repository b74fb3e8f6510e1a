import type { Logger } from '@sqlite-backup/core'
import type { AdminContext } from './admin-context.ts'
import { type Access, type Grant, toAccess } from './authorize.ts'
import { errorPage } from './pages/error-page.ts'
import { page } from './pages/layout.ts'
import { routes } from './routes.ts'
import { AdminError, toAdminError } from './web/admin-error.ts'
import { findForeignOrigin } from './web/check-origin.ts'
import { requirePermission } from './web/exchange.ts'
import { matchRoute } from './web/match-route.ts'
import { readInput, readQuery } from './web/read-input.ts'
import { withSecurityHeaders } from './web/security-headers.ts'

export interface AnswerOptions {
  readonly open: () => Promise<AdminContext>
  readonly isClosed: () => boolean
  readonly authorize: () => Grant | Response | null | undefined | Promise<Grant | Response | null | undefined>
  readonly basePath: string
  readonly publicPath: string
  readonly trustedOrigins: readonly string[]
  readonly log: Logger | undefined
}

/** One request to one response: who is it, may they, is it really them, and then what they asked for. Never throws. */
export async function answer(request: Request, options: AnswerOptions): Promise<Response> {
  let frame: ErrorFrame = {}
  try {
    const url = new URL(request.url)
    const path = pathBelow(url.pathname, options.basePath)
    const granted = await options.authorize()
    if (granted instanceof Response) return withSecurityHeaders(copyOf(granted))
    if (granted === null || granted === undefined) {
      throw new AdminError(403, 'FORBIDDEN', 'You may not enter here.')
    }
    const access = toAccess(granted)
    frame = { access }
    if (options.isClosed()) throw new AdminError(503, 'CLOSED', 'The app is stopping.')
    const foreign = findForeignOrigin(request, options.trustedOrigins)
    if (foreign !== undefined) {
      throw new AdminError(403, 'FOREIGN_ORIGIN', `This did not come from a page of the admin (${foreign}).`, {
        hint: 'Programs send the header X-Requested-By. Behind a proxy, the host has to trust it (trust proxy).',
      })
    }
    const found = matchRoute(routes, request.method, path)
    if ('methods' in found) {
      throw found.methods.length === 0
        ? new AdminError(404, 'NOT_FOUND', 'There is nothing here.')
        : new AdminError(405, 'METHOD_UNKNOWN', `Here is only ${found.methods.join(' and ')}.`, {
            allow: found.methods.flatMap((each) => (each === 'GET' ? ['GET', 'HEAD'] : [each])),
          })
    }
    requirePermission(access, found.route.permission)
    const query = readQuery(url)
    const input = request.method === 'POST' ? await readInput(request) : {}
    const admin = await options.open()
    frame = { access, admin }
    const exchange = { admin, access, request, params: found.params, query, input, base: options.publicPath }
    return withSecurityHeaders(await forMethod(request, await found.route.handle(exchange)))
  } catch (error) {
    const problem = toAdminError(error)
    if (problem.status >= 500) {
      options.log?.error(
        { err: problem.cause ?? error, code: problem.code },
        'The admin of sqlite-backup could not answer',
      )
    }
    const response = problemResponse(request, options, problem, frame)
    if (problem.allow !== undefined) response.headers.set('allow', problem.allow.join(', '))
    return withSecurityHeaders(await forMethod(request, response))
  }
}

interface ErrorFrame {
  readonly access?: Access
  readonly admin?: AdminContext
}

/** A page for people who may see one; JSON for programs; one line for everybody else. */
function problemResponse(
  request: Request,
  { basePath, publicPath }: AnswerOptions,
  problem: AdminError,
  { access, admin }: ErrorFrame,
): Response {
  const { status, code, message, hint } = problem
  const path = new URL(request.url).pathname
  if (path.startsWith(`${basePath}/api/`)) {
    return Response.json({ error: { code, message, ...(hint === undefined ? {} : { hint }) } }, { status })
  }
  if (access === undefined || !access.can('view')) {
    return new Response(`${message}\n`, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } })
  }
  const response = page(
    {
      base: publicPath,
      title: 'Problem',
      databases: admin?.engine.databases ?? [],
      environment: admin?.environment,
      approvals: admin?.approvals ?? 1,
      access,
    },
    errorPage(publicPath, problem, request.method === 'GET'),
  )
  return new Response(response.body, { status, headers: response.headers })
}

function pathBelow(pathname: string, basePath: string): string {
  const rest = pathname.toLowerCase().startsWith(basePath.toLowerCase()) ? pathname.slice(basePath.length) : pathname
  const trimmed = rest.replace(/\/+$/, '')
  return trimmed === '' ? '/' : trimmed
}

/** The host's own response may have headers that cannot be changed, like those of Response.redirect(). */
function copyOf(response: Response): Response {
  return new Response(response.body, { status: response.status, headers: new Headers(response.headers) })
}

/** HEAD is GET without what it would send. */
async function forMethod({ method }: Request, response: Response): Promise<Response> {
  if (method !== 'HEAD') return response
  await response.body?.cancel()
  return new Response(null, { status: response.status, headers: response.headers })
}
