import { accessSync, constants } from 'node:fs'

const shell = '/bin/sh'

/** How `doctor` recognises it as process 1: a shell, but one that passes signals on. */
export const initName = 'sqlite-backup-init'

/**
 * Starts the program again as a child of a shell that does what process 1 has to: it passes signals on, and takes leave of
 * processes that lost their parent, which Node never would. A shell gives what it starts with `&` nothing to read, unless it
 * is told what. `wait` ends early when a signal comes; a child that it has reported is not there for `kill -0` any more.
 */
const init = `exec 3<&0
"$@" <&3 3<&- &
child=$!
exec 3<&-
for signal in HUP INT QUIT TERM USR1 USR2 CONT WINCH; do trap "kill -$signal $child 2>/dev/null" $signal; done
while :; do
  wait $child
  code=$?
  kill -0 $child 2>/dev/null || exit $code
done`

/**
 * As process 1 of a container: puts a small init in this process's place and goes on below it. Returns when this is not
 * process 1, or when there is no shell: then all is well as long as the app leaves no orphans behind.
 */
export function becomeInit(): void {
  if (process.pid !== 1 || process.execve === undefined || !isThere(shell)) return
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  process.execve(shell, ['sh', '-c', init, initName, ...self], process.env)
}

function isThere(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
