import { spawnSync } from 'node:child_process'

/** Whether a program is there. In CI it must be; elsewhere its absence is said aloud and the tests that need it are left out. */
export function hasBinary(name: string): boolean {
  const isThere = spawnSync(name, ['--version']).error === undefined
  if (!isThere && process.env.CI) throw new Error(`${name} is missing.`)
  if (!isThere) console.warn(`SKIPPED: what needs the program "${name}", which is not installed.`)
  return isThere
}
