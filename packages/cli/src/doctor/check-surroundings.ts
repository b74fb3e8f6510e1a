import { readFileSync } from 'node:fs'
import type { Finding } from '@sqlite-backup/core'
import { initName } from '../become-init.ts'

/** What only the command line can see: Node, the platform, and who is process 1. */
export function checkSurroundings(): readonly Finding[] {
  return [
    {
      level: 'ok',
      code: 'PLATFORM',
      message: `Node ${process.versions.node} on ${process.platform} ${process.arch}`,
    },
    ...judgeInit(readInitName()),
  ]
}

const swallowsSignals = /^(npm|npx|yarn|pnpm|sh|bash|dash|ash)\b/

/**
 * npm and shells as process 1 do not pass SIGTERM on, so the app is killed without a backup on close.
 * https://docs.docker.com/reference/dockerfile/#shell-form-entrypoint-example
 */
export function judgeInit(name: string | undefined): readonly Finding[] {
  if (name === undefined || !swallowsSignals.test(name)) return []
  return [
    {
      level: 'warning',
      code: 'INIT_SWALLOWS_SIGNALS',
      message: `Process 1 is \`${name}\`: it may not pass SIGTERM on to the app, which then ends without a last backup.`,
      hint: 'Start the app itself: CMD ["node", "server.js"], or `exec node server.js` in a script.',
    },
  ]
}

/** Linux only; elsewhere there is nothing to be said. */
function readInitName(): string | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    // A shell of our own passes signals on.
    if (readFileSync('/proc/1/cmdline', 'utf8').split('\0').includes(initName)) return initName
    return readFileSync('/proc/1/comm', 'utf8').trim()
  } catch {
    return undefined
  }
}
