import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type AppProcess, createMachine, type Machine } from '@sqlite-backup/core/testing'

export interface RunningExample {
  readonly url: string
  readonly app: AppProcess
  /** SIGTERM, and how it ended. */
  stop(): Promise<number | NodeJS.Signals>
  readonly backups: Machine['backups']
}

/** The first example of the README, as it is written, but for where this package is. */
export function readmeExample(): string {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const [, source = ''] = /```js\n([\s\S]*?)```/.exec(readme) ?? []
  const self = new URL('../index.ts', import.meta.url).href
  return source.replace("'@sqlite-backup/express'", JSON.stringify(self))
}

/** Runs an example for each of `looks`, each time on an empty disk, with one storage for all. */
export async function runExample(
  source: string,
  ...looks: readonly ((example: RunningExample) => Promise<void>)[]
): Promise<void> {
  // Below this package, so that the example finds what it imports.
  const modules = join(import.meta.dirname, '../../node_modules')
  mkdirSync(modules, { recursive: true })
  const root = mkdtempSync(join(modules, '.example-'))
  try {
    for (const [index, look] of looks.entries()) {
      const machine = createMachine({
        root,
        name: `machine-${index}`,
        storage: 'shared',
        command: (app) => [process.execPath, app],
        app: { file: 'app.js', source },
      })
      const port = await freePort()
      const app = machine.launch({ PORT: String(port), SQLITE_BACKUP_STOP_DEADLINE: '8s' })
      try {
        const url = `http://127.0.0.1:${port}`
        await untilAlive(url, app)
        const stop = (): Promise<number | NodeJS.Signals> => {
          app.child.kill('SIGTERM')
          return app.ended
        }
        await look({ url, app, stop, backups: machine.backups })
      } finally {
        app.child.kill('SIGKILL')
      }
    }
  } finally {
    rmSync(root, { recursive: true })
  }
}

async function untilAlive(url: string, app: AppProcess): Promise<void> {
  for (let isAlive = false; !isAlive; ) {
    if (app.child.exitCode !== null) throw new Error(app.output())
    isAlive = await fetch(`${url}/livez`, { headers: { connection: 'close' } }).then(
      ({ ok }) => ok,
      () => new Promise((resolve) => setTimeout(resolve, 20, false)),
    )
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}
