import { hostname, userInfo } from 'node:os'

/** Who acts, as far as it is known: the account and the machine. What the audit log calls them. */
export function whoIsHere(): string {
  return `${nameOfUser()}@${hostname()} (command line)`
}

/** In a container a user may have a number and no name. */
function nameOfUser(): string {
  try {
    return userInfo().username
  } catch {
    return `user ${process.getuid?.() ?? 'unknown'}`
  }
}
