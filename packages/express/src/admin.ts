import { type AdminOptions, createAdmin } from '@sqlite-backup/admin'
import { sendResponse, toRequest } from '@sqlite-backup/admin/node'
import type { NextFunction, Request, RequestHandler, Response } from 'express'

export interface BackupAdminOptions extends AdminOptions<Request> {
  /** Where the admin is, below where it is mounted. @default '/admin/backups' when it is mounted at no path */
  readonly path?: string
}

/** A middleware, and the way to end it: open pages, running jobs, and the engine if it is its own. */
export interface BackupAdminHandler extends RequestHandler {
  close(): Promise<void>
}

/**
 * The admin as a middleware for Express 5. Mounted at no path it answers to `/admin/backups` and passes on everything else.
 *
 * @example
 * app.use(backupAdmin({
 *   backup,
 *   authorize: (req) => req.user?.isAdmin ? { actor: { id: req.user.email }, permissions: 'all' } : null,
 * }))
 * @throws Error when nobody says who may enter
 */
export function backupAdmin(options: BackupAdminOptions = {}): BackupAdminHandler {
  const { path, ...rest } = options
  const admin = createAdmin<Request>(rest)

  const handle = async (req: Request, res: Response, next: NextFunction): Promise<void> => {
    const basePath = basePathOf(req, path)
    if (basePath === undefined) return next()
    const gone = new AbortController()
    res.once('close', () => gone.abort())
    const request = toRequest(req, {
      url: req.originalUrl,
      protocol: req.protocol,
      // Knows `trust proxy`; the Host header alone does not.
      host: req.host,
      parsedBody: req.body,
      signal: gone.signal,
    })
    await sendResponse(await admin.handle(request, { input: req, basePath, address: req.ip }), res)
  }
  return Object.assign(handle, { close: () => admin.close() })
}

/** Where the admin is for this request; undefined when the request is for somebody else. */
function basePathOf({ baseUrl, path }: Request, wanted: string | undefined): string | undefined {
  const below = (wanted ?? (baseUrl === '' ? '/admin/backups' : '')).replace(/\/+$/, '')
  const given = path.slice(0, below.length)
  const rest = path.slice(below.length)
  if (given.toLowerCase() !== below.toLowerCase() || (rest !== '' && !rest.startsWith('/'))) return undefined
  return `${baseUrl}${given}`
}
