import { expect, test } from 'vitest'
import { createAdmin } from './create-admin.ts'
import { password } from './password.ts'

const environment = { ADMIN_PASSWORD: 'correct horse battery' }

function basic(text: string): Headers {
  return new Headers({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
}

async function statusOf(answer: unknown): Promise<number> {
  const given = await answer
  return given instanceof Response ? given.status : 200
}

test('the right password lets in, whatever the user name; everything else asks for it', async () => {
  const { authorize } = password('ADMIN_PASSWORD', { environment })
  expect(await authorize({ headers: basic('anyone:correct horse battery') })).toEqual({
    actor: { id: 'admin' },
    permissions: 'all',
  })
  for (const headers of [
    new Headers(),
    basic('admin:wrong'),
    basic('admin:correct horse battery '),
    basic('correct horse battery'),
    new Headers({ authorization: 'Bearer correct horse battery' }),
    new Headers({ authorization: 'Basic !!!' }),
  ]) {
    const answer = await authorize({ headers })
    expect(answer).toBeInstanceOf(Response)
    expect([401, 429]).toContain(await statusOf(answer))
  }
})

test.each(['2600:3c00::N:1:2:3', '2600:3c00:0:0:N:1:2:3', '2600:3c00::N'])(
  'addresses of one network wait together, however they are written (%s)',
  async (pattern) => {
    const { authorize } = password('ADMIN_PASSWORD', { environment, now: () => 0 })
    for (let i = 1; i <= 10; i++) {
      const address = pattern.replace('N', String(i))
      expect(await statusOf(authorize({ headers: basic('a:guess'), address }))).toBe(401)
    }
    expect(await statusOf(authorize({ headers: basic('a:guess'), address: '2600:3c00::' }))).toBe(429)
    expect(await statusOf(authorize({ headers: basic('a:guess'), address: '2600:3c00:0:1::' }))).toBe(401)
  },
)

test('ten wrong ones from an address, and it waits; others do not', async () => {
  let nowMs = 0
  const { authorize } = password('ADMIN_PASSWORD', { environment, now: () => nowMs })
  const right = basic('a:correct horse battery')
  for (let i = 0; i < 10; i++) {
    expect(await statusOf(authorize({ headers: basic('a:guess'), address: '2001:db8:1:2::1' }))).toBe(401)
  }
  // The right one has to wait too, or guessing could go on; another address of the same network likewise.
  expect(await statusOf(authorize({ headers: right, address: '2001:db8:1:2::1' }))).toBe(429)
  expect(await statusOf(authorize({ headers: right, address: '2001:db8:1:2::99' }))).toBe(429)
  expect(await statusOf(authorize({ headers: right, address: '192.0.2.7' }))).toBe(200)
  nowMs += 5 * 60_000
  expect(await statusOf(authorize({ headers: right, address: '2001:db8:1:2::1' }))).toBe(200)
})

test('a missing or short password is refused when the app starts, and never printed', () => {
  expect(() => password('NONE', { environment })).toThrow(/12 characters in NONE \(it is not set\)/)
  try {
    password('SHORT', { environment: { SHORT: 'hunter2' } })
    expect.unreachable()
  } catch (error) {
    expect(String(error)).toContain('is shorter')
    expect(String(error)).not.toContain('hunter2')
  }
})

test('one password is one person: two approvals need a login', () => {
  const authorize = password('ADMIN_PASSWORD', { environment })
  expect(() => createAdmin({ authorize, approvals: 2 })).toThrow(/know people apart/)
})

test('an option that does not exist is refused by name', () => {
  expect(() => createAdmin({ authorise: () => null } as never)).toThrow(/no option "authorise"/)
})
