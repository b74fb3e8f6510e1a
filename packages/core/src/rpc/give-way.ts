import { readdirSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { setPriority } from 'node:os'

/** `nice` of what may wait: a tenth of a core is left to it where the app wants all of them. */
const NICE = 10

/**
 * Lets threads of this process work behind the app, for good: only root may raise a priority again. `pool`: those that
 * compress, read and write; not the main thread, which may hold a lock of SQLite, and the app must not wait for a thread
 * that waits for its turn.
 */
export async function giveWay(threads: 'all' | 'pool'): Promise<undefined> {
  if (process.platform !== 'linux') {
    // Only Linux has a priority for each thread: https://man7.org/linux/man-pages/man2/setpriority.2.html#NOTES
    if (threads === 'all') trySetPriority(0)
    return undefined
  }
  // libuv starts all threads of its pool with the first task.
  await stat('/proc/self')
  for (const thread of readdirSync('/proc/self/task').map(Number)) {
    if (threads === 'all' || thread !== process.pid) trySetPriority(thread)
  }
  return undefined
}

function trySetPriority(id: number): void {
  try {
    setPriority(id, NICE)
  } catch {
    // Not permitted in some sandboxes, or the thread has ended; it is a courtesy, nothing depends on it.
  }
}
