/** Waits for `task`, and calls `say` each time it has taken `everyMs` more; what it throws is thrown. */
export async function sayWaiting<T>(task: Promise<T>, everyMs: number, say: () => void): Promise<T> {
  const timer = setInterval(say, everyMs)
  timer.unref()
  try {
    return await task
  } finally {
    clearInterval(timer)
  }
}
