import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createMachine } from '@sqlite-backup/core/testing'
import { expect, test } from 'vitest'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

/** The first example, as it is written, but for where this package is. */
function example(): string {
  const [, source = ''] = /```js\n([\s\S]*?)```/.exec(readme) ?? []
  const self = new URL('./index.ts', import.meta.url).href
  return source.replace("'@sqlite-backup/express'", JSON.stringify(self))
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

test('the example runs, backs up when it is stopped, and comes back on an empty disk', async () => {
  // Below this package, so that the example finds what it imports.
  const modules = join(import.meta.dirname, '../node_modules')
  mkdirSync(modules, { recursive: true })
  const root = mkdtempSync(join(modules, '.readme-'))
  try {
    const command = (app: string) => [process.execPath, app]
    for (const [name, visits] of [
      ['first', 1],
      ['second', 2],
    ] as const) {
      const here = createMachine({ root, name, storage: 'shared', command, app: { file: 'app.js', source: example() } })
      const PORT = await freePort()
      const app = here.launch({ PORT: String(PORT) })
      const url = `http://127.0.0.1:${PORT}`
      for (let alive = false; !alive; ) {
        if (app.child.exitCode !== null) throw new Error(app.output())
        alive = await fetch(`${url}/livez`).then(
          ({ ok }) => ok,
          () => new Promise((resolve) => setTimeout(resolve, 20, false)),
        )
      }
      expect(await (await fetch(url)).json()).toEqual({ visits })
      app.child.kill('SIGTERM')
      expect(await app.ended).toBe('SIGTERM')
      expect(await here.backups()).toHaveLength(visits)
    }
  } finally {
    rmSync(root, { recursive: true })
  }
})

test('every option of gracefulShutdown() has its line', () => {
  for (const option of ['backup', 'onDrained', 'lastBackup', 'deadline', 'signals']) {
    expect(readme).toContain(`| \`${option}\` |`)
  }
})
