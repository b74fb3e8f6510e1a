import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { bindSecret, env, isSecret } from './secret.ts'

const environment = { PASSPHRASE: 'correct horse' }

test('a secret is read from the environment when it is needed', () => {
  expect(env('PASSPHRASE').reveal(environment)).toBe('correct horse')
  expect(bindSecret(env('PASSPHRASE'), environment).reveal()).toBe('correct horse')
})

test('a secret is never printed, however it is printed', () => {
  const secret = bindSecret(env('PASSPHRASE'), environment)
  const texts = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    inspect(secret),
    inspect({ deep: { secret } }, { depth: 9, showHidden: true }),
    JSON.stringify(Object.entries(secret)),
    JSON.stringify({ ...secret }),
  ]
  for (const text of texts) expect(text).not.toContain('correct horse')
  expect(JSON.stringify({ secret })).toBe('{"secret":"env(PASSPHRASE)"}')
  expect(inspect({ secret })).toBe('{ secret: env(PASSPHRASE) }')
})

test('one that is missing is named, unless it may be', () => {
  expect(() => env('PASSPHRASE').reveal({})).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: 'The environment variable PASSPHRASE is not set, and the config needs it.',
    }),
  )
  expect(() => env('PASSPHRASE').reveal({ PASSPHRASE: '' })).toThrow('not set')
  expect(env('PASSPHRASE', { optional: true }).reveal({})).toBeUndefined()
})

test('a secret is known as one, also from another copy of this package', async () => {
  const copy: typeof import('./secret.ts') = await import(`${'./secret.ts'}?copy`)
  expect(copy.env).not.toBe(env)
  expect(isSecret(copy.env('PASSPHRASE'))).toBe(true)
  expect(isSecret({ name: 'PASSPHRASE', reveal: () => 'x' })).toBe(false)
  expect(isSecret('env(PASSPHRASE)')).toBe(false)
})
