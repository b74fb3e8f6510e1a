import type { Logger } from './events.ts'

/** Lines on stderr for processes that have no logger of their own: what happened, and what a person should know. */
export function stderrLogger(): Logger {
  const say = (_fields: object, message: string): void => void process.stderr.write(`sqlite-backup: ${message}\n`)
  return { debug: () => {}, info: say, warn: say, error: say }
}
