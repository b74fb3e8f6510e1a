/** What a timer can wait for, about 24 days: more is taken for 1 ms. https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
export const LONGEST_MS = 2 ** 31 - 1

/** Waits for `task`, but no longer than `ms`; what it throws is thrown. */
export async function within(task: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeUp = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(Math.max(0, ms), LONGEST_MS))
  })
  try {
    await Promise.race([task, timeUp])
  } finally {
    clearTimeout(timer)
  }
}
