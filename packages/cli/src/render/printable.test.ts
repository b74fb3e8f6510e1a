import { expect, test } from 'vitest'
import { printable } from './printable.ts'

test('leaves text, its lines and our colours as they are', () => {
  const text = '\u001b[1mnäme\u001b[22m\t🦄\n\u001b[38;5;208mx\u001b[39m'
  expect(printable(text)).toBe(text)
})

test('takes from a text what would steer a terminal', () => {
  expect(printable('\u001b]0;title\u0007 \u001b[2J \r \u009b5m \u0000')).toBe('�]0;title� �[2J � �5m �')
})
