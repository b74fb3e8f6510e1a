/** Waits for `task`, but no longer than `ms`; what it throws is thrown. */
export async function within(task: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeUp = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, ms))
  })
  try {
    await Promise.race([task, timeUp])
  } finally {
    clearTimeout(timer)
  }
}
