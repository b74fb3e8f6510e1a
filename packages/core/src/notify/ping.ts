import { setTimeout as wait } from 'node:timers/promises'

export interface PingOptions {
  /** Appended to the path: `/start`, `/fail`, or nothing. */
  readonly suffix: '' | '/start' | '/fail'
  /** What went wrong, for the log of whoever listens. */
  readonly body?: string
  /** Of one attempt. @default 10000 */
  readonly timeoutMs?: number
  /** @default 3 */
  readonly attempts?: number
  /** Before the second attempt, and doubled before the third. @default 1000 */
  readonly pauseMs?: number
  readonly signal?: AbortSignal
}

/**
 * Tells a heartbeat URL, as healthchecks.io and those like it take it: https://healthchecks.io/docs/http_api/.
 * Never throws: returns what went wrong, in words that do not contain the URL.
 */
export async function ping(url: string, options: PingOptions): Promise<string | undefined> {
  const { suffix, body = '', timeoutMs = 10_000, attempts = 3, pauseMs = 1000, signal } = options
  const target = new URL(url)
  target.pathname = `${target.pathname.replace(/\/$/, '')}${suffix}`
  let problem: string | undefined
  for (let attempt = 1; attempt <= attempts; attempt++) {
    if (signal?.aborted) return problem ?? 'There was no time for it.'
    const { message, isFinal } = await pingOnce(target, body, timeoutMs, signal)
    problem = message
    if (isFinal) return problem
    if (attempt < attempts) await pause(pauseMs * 2 ** (attempt - 1), signal)
  }
  return problem
}

async function pingOnce(target: URL, body: string, timeoutMs: number, signal: AbortSignal | undefined) {
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    const answer = await fetch(target, {
      method: 'POST',
      body,
      headers: { 'content-type': 'text/plain; charset=utf-8', 'user-agent': 'sqlite-backup' },
      redirect: 'follow',
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    })
    await answer.body?.cancel()
    if (answer.ok) return { message: undefined, isFinal: true }
    // 4xx will not change, except for "too many".
    const isFinal = answer.status < 500 && answer.status !== 429
    return { message: `It answered ${answer.status}.`, isFinal }
  } catch (error) {
    return { message: reasonOf(error), isFinal: false }
  }
}

/** Messages of fetch may quote the URL; a code does not. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'It could not be reached.'
  if (error.name === 'TimeoutError') return 'It did not answer in time.'
  const code = error.cause instanceof Error && 'code' in error.cause ? error.cause.code : undefined
  return typeof code === 'string' && /^[A-Z_]+$/.test(code)
    ? `It could not be reached (${code}).`
    : 'It could not be reached.'
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  // An abort only ends the pause: the loop looks at the signal itself.
  await wait(ms, undefined, { ref: false, ...(signal === undefined ? {} : { signal }) }).catch(() => undefined)
}
