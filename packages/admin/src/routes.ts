import { apiRoutes } from './api/api-routes.ts'
import type { Permission } from './authorize.ts'
import { pageRoutes } from './pages/page-routes.ts'
import type { Exchange } from './web/exchange.ts'

/** One thing the admin answers to. */
export interface Route {
  readonly method: 'GET' | 'POST'
  /** Below where the admin is mounted; `:names` stand for one segment. */
  readonly path: string
  /** Of several, one is enough. */
  readonly permission: Permission | readonly Permission[]
  readonly handle: (exchange: Exchange) => Promise<Response> | Response
}

/** The whole table: what is not in it does not exist. */
export const routes: readonly Route[] = [...pageRoutes, ...apiRoutes]
