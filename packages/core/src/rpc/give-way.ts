import { readdirSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { setPriority } from 'node:os'

/** `nice` of what may wait: the app's event loop then gets its turn at once, on however few cores. */
const NICE = 10

/** All of this process works behind the app. For one that holds no lock the app may wait for. */
export function giveWay(): void {
  trySetPriority(0)
}

/**
 * The threads that compress, read and write work behind the app, the main thread beside it: that one may hold a lock of
 * SQLite, and the app must not wait for a thread that waits for its turn.
 */
export async function poolGivesWay(): Promise<void> {
  // Only Linux has a priority for each thread: https://man7.org/linux/man-pages/man2/setpriority.2.html#NOTES
  if (process.platform !== 'linux') return
  // libuv starts all threads of its pool with the first task.
  await stat('/proc/self')
  for (const thread of readdirSync('/proc/self/task')) {
    if (Number(thread) !== process.pid) trySetPriority(Number(thread))
  }
}

function trySetPriority(id: number): void {
  try {
    setPriority(id, NICE)
  } catch {
    // Not permitted in some sandboxes, or the thread has ended; it is a courtesy, nothing depends on it.
  }
}
