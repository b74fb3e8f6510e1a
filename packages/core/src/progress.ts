const EVERY_MS = 200

interface Amount {
  readonly doneBytes: number
  readonly totalBytes: number
}

/** Lets through one report per key every 200 ms, and the one that says that all is done. */
export function throttled<T extends Amount>(report: (progress: T) => void): (key: string, progress: T) => void {
  const last = new Map<string, number>()
  return (key, progress) => {
    const now = performance.now()
    const isDone = progress.doneBytes >= progress.totalBytes
    if (!isDone && now - (last.get(key) ?? Number.NEGATIVE_INFINITY) < EVERY_MS) return
    last.set(key, now)
    report(progress)
  }
}
