import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface BackUpAtExitOptions {
  /** The entry file of the process that makes the backup. */
  readonly entry: URL
  /** Where the config was found, and with which environment: the app may have changed both since. */
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  /** How long the process may still live, in ms. */
  readonly leftMs: number
}

/**
 * Makes the last backup while this process ends, when nothing asynchronous can be waited for any more: by a process of its
 * own, which ends within `leftMs`. It finds nothing new when the backup was made already.
 * @returns whether that process got through; it says itself what it could not back up
 */
export function backUpAtExit({ entry, cwd, env, leftMs }: BackUpAtExitOptions): boolean {
  const timeout = Math.round(leftMs)
  // For spawnSync 0 is no limit at all.
  if (timeout <= 0) return false
  // Without the app's own hooks. Its stdout is the app's alone.
  const { NODE_OPTIONS: _, ...environment } = env
  const { status } = spawnSync(process.execPath, [fileURLToPath(entry), String(timeout)], {
    cwd,
    env: environment,
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout,
    killSignal: 'SIGKILL',
  })
  return status === 0
}
