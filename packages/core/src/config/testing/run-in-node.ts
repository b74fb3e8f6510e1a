import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const script = `
  const [module, name, args] = process.argv.slice(1)
  const exports = await import(module)
  const answer = await exports[name](...JSON.parse(args)).then(
    (value) => ({ value }),
    ({ code, message, hint }) => ({ error: { code, message, hint } }),
  )
  console.log(JSON.stringify(answer))`

/**
 * Calls a function of the config room in a Node of its own. The test runner would load config files itself, with its own
 * idea of TypeScript, and brings a NODE_PATH in which every package of the workspace is installed.
 */
export async function runInNode(
  file: string,
  name: string,
  ...args: readonly unknown[]
): Promise<{ readonly value?: unknown; readonly error?: unknown }> {
  const { NODE_PATH, ...environment } = process.env
  const module = pathToFileURL(join(import.meta.dirname, '..', file)).href
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '-e', script, module, name, JSON.stringify(args)],
    { env: environment },
  )
  return JSON.parse(stdout)
}
