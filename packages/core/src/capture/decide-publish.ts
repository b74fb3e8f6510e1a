import type { DatabaseHeader } from '../wal/database-header.ts'

/** What lies where the image should go. */
export type Target =
  | { readonly state: 'missing' }
  | { readonly state: 'empty' }
  | { readonly state: 'unreadable' }
  | { readonly state: 'database'; readonly header: DatabaseHeader }

/**
 * How the image gets there:
 * `link` under the free name; `set-aside` the same after moving away what no SQLite can open; `online` through SQLite's
 * Backup API into the file that is there; `replace` the same after taking the database out of WAL mode.
 */
export type PublishRoute = 'link' | 'set-aside' | 'online' | 'replace'

export function decidePublish(target: Target, imagePageSize: number): PublishRoute {
  if (target.state === 'missing') return 'link'
  if (target.state === 'unreadable') return 'set-aside'
  // A process may have the empty file open and write to it next: it must stay the same file.
  if (target.state === 'empty') return 'online'
  // In WAL mode the page size is fixed; in rollback mode the Backup API brings its own: https://sqlite.org/c3ref/backup_finish.html
  return target.header.journalMode === 'wal' && target.header.pageSize !== imagePageSize ? 'replace' : 'online'
}
