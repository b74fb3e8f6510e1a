const EVERY_MS = 200

/**
 * Lets through at most one report per key every 200 ms: the first at once, the rest when their time has come.
 * Progress is for people; nothing waits for the last one, because the result follows it.
 */
export function throttled<T>(report: (progress: T) => void): (key: string, progress: T) => void {
  const last = new Map<string, number>()
  return (key, progress) => {
    const now = performance.now()
    if (now - (last.get(key) ?? Number.NEGATIVE_INFINITY) < EVERY_MS) return
    last.set(key, now)
    report(progress)
  }
}
