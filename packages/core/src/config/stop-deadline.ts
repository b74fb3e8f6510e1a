import { defaults } from './defaults.ts'
import type { Environment } from './secret.ts'
import { parseDuration } from './units.ts'

/** How long a stop may take before somebody kills the process. */
export interface StopDeadline {
  readonly ms: number
  /** Who decided it. */
  readonly by: 'config' | 'Fly' | 'Railway' | 'Render' | 'Kubernetes' | 'systemd' | 'PM2' | 'Docker' | 'default'
}

export interface StopFacts {
  /** What the user set, in ms. */
  readonly setMs?: number | undefined
  readonly environment: Environment
  /** `/.dockerenv` is there: Docker sets no variable of its own. */
  readonly isDocker: boolean
  /** This process and its parent. */
  readonly pids: readonly number[]
}

interface Platform {
  readonly name: StopDeadline['by']
  /** One of these is set there. */
  readonly variables: readonly string[]
  /** From SIGTERM to SIGKILL by default. */
  readonly killAfterMs: number
  /** The variable is a process id, and all that this process starts inherits it: it speaks of that one and its children only. */
  readonly ofProcess?: boolean
}

/**
 * From the most particular to the most general: Fly and Railway also look like containers.
 * Fly: https://fly.io/docs/reference/configuration/#kill_timeout-option · Railway: https://docs.railway.com/guides/deployment-teardown
 * Render: https://render.com/docs/deploys#graceful-shutdown · Kubernetes: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
 * systemd: TimeoutStopSec= in https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html
 * PM2: https://pm2.keymetrics.io/docs/usage/signals-clean-restart/ · Docker: https://docs.docker.com/reference/cli/docker/container/stop/
 */
export const platforms: readonly Platform[] = [
  { name: 'Fly', variables: ['FLY_MACHINE_ID', 'FLY_APP_NAME'], killAfterMs: 5_000 },
  { name: 'Railway', variables: ['RAILWAY_PROJECT_ID', 'RAILWAY_ENVIRONMENT_ID'], killAfterMs: 3_000 },
  { name: 'Render', variables: ['RENDER'], killAfterMs: 30_000 },
  { name: 'Kubernetes', variables: ['KUBERNETES_SERVICE_HOST'], killAfterMs: 30_000 },
  { name: 'PM2', variables: ['pm_id'], killAfterMs: 1_600 },
  { name: 'systemd', variables: ['SYSTEMD_EXEC_PID'], killAfterMs: 90_000, ofProcess: true },
]
export const docker: Platform = { name: 'Docker', variables: [], killAfterMs: 10_000 }

/** Railway lets the user set its time in a variable that the app sees too. */
const RAILWAY_SECONDS = 'RAILWAY_DEPLOYMENT_DRAINING_SECONDS'

// A kill that comes a moment early must not find us at work; on a long leash a fifth is plenty, and enough.
const KEPT_BACK = 0.2

/** What the user set, else a little less than the platform allows, else the default. */
export function decideStopDeadline({ setMs, environment, isDocker, pids }: StopFacts): StopDeadline {
  if (setMs !== undefined) return { ms: setMs, by: 'config' }
  const found = platforms.find(({ variables, ofProcess = false }) =>
    variables.some((name) => environment[name] && (!ofProcess || pids.includes(Number(environment[name])))),
  )
  const platform = found ?? (isDocker ? docker : undefined)
  if (platform === undefined) return { ms: parseDuration(defaults.stop.deadline), by: 'default' }
  return { ms: Math.round(killAfter(platform, environment) * (1 - KEPT_BACK)), by: platform.name }
}

function killAfter({ name, killAfterMs }: Platform, environment: Environment): number {
  if (name !== 'Railway') return killAfterMs
  const seconds = Number(environment[RAILWAY_SECONDS])
  return seconds > 0 ? seconds * 1000 : killAfterMs
}
