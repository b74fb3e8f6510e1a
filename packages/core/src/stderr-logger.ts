import { Console } from 'node:console'
import type { Logger } from './events.ts'

/** Lines on stderr for processes that have no logger of their own: what happened, and what a person should know. */
export function stderrLogger(): Logger {
  // A write to a pipe or terminal that is gone would end the app (EPIPE, EIO). A Console does not mind:
  // https://nodejs.org/api/console.html#new-consolestdout-stderr-ignoreerrors
  const stderr = new Console(process.stderr)
  const say = (_fields: object, message: string): void => stderr.error(`sqlite-backup: ${message}`)
  return { debug: () => {}, info: say, warn: say, error: say }
}
