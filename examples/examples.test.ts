import { afterEach, test } from 'vitest'
import { type Example, openExample } from './example.ts'
import { survivesTheWorstDay } from './worst-day.ts'

let example: Example | undefined
afterEach(() => example?.remove())

test.each(['cjs-app', 'libsql-local'])('%s comes back from kill -9 and from a lost disk', async (name) => {
  example = openExample(name)
  await survivesTheWorstDay(example)
})
