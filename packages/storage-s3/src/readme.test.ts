import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { envFamilies } from './platform-env.ts'
import { optionNames } from './s3-options.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

it('the README names every variable that is read', () => {
  const names = envFamilies.flatMap(({ name, preset, ...lists }) => Object.values(lists).flat())
  expect(names.filter((name) => !readme.includes(`\`${name}\``))).toEqual([])
  expect(names.length).toBeGreaterThan(40)
})

it('the README has a line for every option', () => {
  expect(optionNames.filter((name) => !readme.includes(`| \`${name}\` |`))).toEqual([])
})
