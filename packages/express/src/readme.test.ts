import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type RunningExample, readmeExample, runExample } from './testing/run-example.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

test('the example runs, backs up when it is stopped, and comes back on an empty disk', async () => {
  const visit =
    (visits: number) =>
    async ({ url, stop, backups }: RunningExample) => {
      expect(await (await fetch(url)).json()).toEqual({ visits })
      expect(await stop()).toBe('SIGTERM')
      expect(await backups()).toHaveLength(visits)
    }
  await runExample(readmeExample(), visit(1), visit(2))
})

test('every option of gracefulShutdown() has its line', () => {
  for (const option of ['backup', 'onDrained', 'lastBackup', 'deadline', 'signals']) {
    expect(readme).toContain(`| \`${option}\` |`)
  }
})
