import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { icon, script, style } from './assets/embedded.ts'

test('what the package carries is what is in assets/', () => {
  const read = (name: string): string => readFileSync(join(import.meta.dirname, '../assets', name), 'utf8')
  expect(style).toBe(read('admin.css'))
  expect(script).toBe(read('admin.js'))
  expect(icon).toBe(read('icon.svg'))
})
