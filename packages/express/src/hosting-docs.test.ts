// The recipes of docs/8-hosting.md: the example of the README with another end.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readmeExample, runExample } from './testing/run-example.ts'

const docs = readFileSync(new URL('../../../docs/8-hosting.md', import.meta.url), 'utf8')

function recipe(name: string): string {
  const [, source = ''] = new RegExp(`<!-- example: ${name} -->\n\`\`\`js\n([\\s\\S]*?)\`\`\``).exec(docs) ?? []
  const example = readmeExample()
  return example.slice(0, example.indexOf('const server = ')) + source
}

test.each([
  // It sends itself the signal again; lightship lets the process end by itself.
  ['terminus', 'SIGTERM'],
  ['lightship', 0],
])('with %s, too, the last backup is made', async (name, end) => {
  await runExample(recipe(name), async ({ url, app, stop, backups }) => {
    expect(await (await fetch(url, { headers: { connection: 'close' } })).json()).toEqual({ visits: 1 })
    expect({ end: await stop(), output: app.output() }).toMatchObject({ end })
    expect((await backups()).map(({ tier }) => tier)).toEqual(['shutdown'])
  })
})
