import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const folder = new URL('.', import.meta.url)
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.startsWith('testing'))
  .map((name) => ({ name, text: readFileSync(new URL(name, folder), 'utf8') }))

test('only the command line knows Node: no node: import, no Buffer, no process, no dependency elsewhere', () => {
  expect(files.length).toBeGreaterThan(20)
  for (const { name, text } of files) {
    if (name === 'cli.ts') continue
    const imports = [...text.matchAll(/from '([^']+)'/g)].map((match) => match[1] ?? '')
    expect(
      imports.filter((specifier) => !specifier.startsWith('.')),
      name,
    ).toEqual([])
    expect(text, name).not.toMatch(/\b(Buffer|process|require|setTimeout|Date\.now|Math\.random)\b[.(]/)
  }
})
