import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * Those of `names` that are not on the PATH, for `describe.skipIf(missingBinaries('age').length > 0)`.
 * Says loudly what will not be tested; throws in CI, where every test has to run.
 */
export function missingBinaries(...names: readonly string[]): readonly string[] {
  const missing = names.filter((name) => !isOnPath(name))
  if (missing.length === 0) return missing
  const sentence = `not installed: ${missing.join(', ')}`
  if (process.env.CI) throw new Error(`Tests cannot run, ${sentence}.`)
  console.warn(`SKIPPED TESTS, ${sentence}.`)
  return missing
}

function isOnPath(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
