import type { AdminContext } from '../admin-context.ts'
import type { Access, Permission } from '../authorize.ts'
import { AdminError } from './admin-error.ts'
import type { Input } from './read-input.ts'

/** One request on its way through the admin. */
export interface Exchange {
  readonly admin: AdminContext
  readonly access: Access
  readonly request: Request
  readonly params: Readonly<Record<string, string>>
  readonly query: Input
  /** Fields of the body; empty for GET. */
  readonly input: Input
  /** What links begin with: where the admin is mounted, as the browser sees it. No slash at the end. */
  readonly base: string
}

/** @throws AdminError `FORBIDDEN` */
export function requirePermission(access: Access, permission: Permission | readonly Permission[]): void {
  const enough = [permission].flat()
  if (enough.some((each) => access.can(each))) return
  const names = enough.map((each) => `"${each}"`).join(' or ')
  throw new AdminError(403, 'FORBIDDEN', `You may not do this: it needs the permission ${names}.`, {
    hint: 'Ask whoever runs this app: its authorize() decides.',
  })
}

/** The database a request is about: `?db=`, or the only one. @throws AdminError `DATABASE_UNKNOWN` */
export function databaseOf({ admin, query, input }: Pick<Exchange, 'admin' | 'query' | 'input'>): string {
  const { databases } = admin.engine
  const wanted = query.db ?? input.db
  if (wanted === undefined && databases[0] !== undefined) return databases[0]
  if (wanted !== undefined && databases.includes(wanted)) return wanted
  throw new AdminError(
    404,
    'DATABASE_UNKNOWN',
    wanted === undefined ? 'No database is configured.' : 'There is no such database.',
  )
}

/** The storage a request is about, when it names one. @throws AdminError `STORAGE_UNKNOWN` */
export function storageOf({ admin, query, input }: Pick<Exchange, 'admin' | 'query' | 'input'>): string | undefined {
  const wanted = query.storage ?? input.storage
  if (wanted === undefined || wanted === '') return undefined
  if (admin.engine.storages.includes(wanted)) return wanted
  throw new AdminError(404, 'STORAGE_UNKNOWN', 'There is no such storage.')
}

/** The id in the path. Only ids: names and times may mean another backup a moment later. @throws AdminError `BACKUP_NOT_FOUND` */
export function backupIdOf({ params }: Pick<Exchange, 'params'>): string {
  const { id = '' } = params
  if (/^\d{8}T\d{6}Z-[a-z0-9]{4,32}$/.test(id)) return id
  throw new AdminError(404, 'BACKUP_NOT_FOUND', 'There is no such backup.')
}
