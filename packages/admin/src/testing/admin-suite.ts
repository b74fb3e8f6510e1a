import { describe } from 'vitest'
import type { AdminOptions } from '../create-admin.ts'
import { accessSuite } from './access-suite.ts'
import { actionsSuite } from './actions-suite.ts'
import { approvalsSuite } from './approvals-suite.ts'
import { mountSuite } from './mount-suite.ts'
import { pagesSuite } from './pages-suite.ts'
import { restoreSuite } from './restore-suite.ts'

/** What every host's own request has. */
export interface SuiteInput {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

/** How the admin is put into an app. */
export interface MountOptions {
  readonly admin: AdminOptions<SuiteInput>
  /** `default`: at no path. `path`: at /tools/backups. `nested`: at /ops/area/backups, in a router in a router. */
  readonly mount: 'default' | 'path' | 'nested'
  /** Parse forms and JSON before the admin sees them, if the host does such things. */
  readonly parseBodies?: boolean
}

export interface RunningHost {
  /** Like http://127.0.0.1:12345 */
  readonly origin: string
  /** Where the admin is. */
  readonly path: string
  close(): Promise<void>
}

export interface AdminHost {
  readonly name: string
  /** Starts a server on 127.0.0.1 with the admin in it. Everything outside answers `host says <status>` with 404. */
  start(options: MountOptions): Promise<RunningHost>
}

export interface AdminSuiteOptions {
  readonly host: AdminHost
}

/**
 * Registers the contract of the admin with vitest: every host runs it whole, with real engines and real databases.
 *
 * @example
 * adminSuite({ host: { name: 'express', start: startExpress } })
 */
export function adminSuite({ host }: AdminSuiteOptions): void {
  describe(`admin suite: ${host.name}`, { timeout: 60_000 }, () => {
    mountSuite(host)
    accessSuite(host)
    pagesSuite(host)
    restoreSuite(host)
    actionsSuite(host)
    approvalsSuite(host)
  })
}
