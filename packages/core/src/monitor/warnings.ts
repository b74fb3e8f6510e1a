import type { ResolvedConfig } from '../config/config.ts'
import { nobodyIsTold } from '../notify/heartbeat.ts'

/** What should be known about a configuration whose schedules run, though nothing is wrong with a backup. */
export function warningsOf({ databases, storages, jobs, origins, notify }: ResolvedConfig): readonly string[] {
  if (databases.length === 0 || storages.length === 0) return []
  return [
    ...(notify.heartbeat === undefined ? [nobodyIsTold] : []),
    ...(jobs.length > 0 && !origins.has('retention')
      ? ["Backups are made by schedule and never deleted. State `retention`: 'default', a policy, or false."]
      : []),
  ]
}
