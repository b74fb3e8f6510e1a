import { basename } from 'node:path'

export interface BootFacts {
  readonly isMainThread: boolean
  readonly pid: number
  /** `process.argv[1]` */
  readonly main: string | undefined
  /** The process that booted before, from the environment. */
  readonly bootedPid: string | undefined
}

/** Tells the children of a process that booted: they inherit `--import` with its flags or with NODE_OPTIONS. */
export const bootedVariable = '__SQLITE_BACKUP_BOOTED'

// They start the app as a child, which inherits NODE_OPTIONS and will boot itself.
const launcher = /^(npm|npx|yarn|yarnpkg|pnpm|pnpx|corepack|bun)(-cli)?(\.c?js|\.mjs)?$/
const ourOwn = /^sqlite-backup(\.js)?$/

/** Whether `--import @sqlite-backup/core/boot` has something to do here: in the app, and nowhere else. */
export function shouldBoot({ isMainThread, pid, main, bootedPid }: BootFacts): boolean {
  if (!isMainThread) return false
  if (bootedPid !== undefined && bootedPid !== '' && bootedPid !== String(pid)) return false
  const name = main === undefined ? '' : basename(main)
  return !launcher.test(name) && !ourOwn.test(name)
}
