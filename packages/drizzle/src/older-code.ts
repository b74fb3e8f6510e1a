/** What is said when the database has migrations that are not in the folder. */
export function olderCode(unknown: readonly string[]): string {
  return `The database has migrations that this code does not know: ${unknown.join(', ')}. It is newer than the code, as after a restore or a deployment of an older version.`
}
