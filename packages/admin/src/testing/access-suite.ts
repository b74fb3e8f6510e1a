import { bytesBody } from '@sqlite-backup/core'
import { describe, expect, test } from 'vitest'
import { routes } from '../routes.ts'
import type { AdminHost } from './admin-suite.ts'
import { openShop, openSite } from './shop.ts'

/** Who may what, and whether it is really them. */
export function accessSuite(host: AdminHost): void {
  describe('access', () => {
    test('every route is closed to who is nobody, and to who may nothing', async () => {
      const { engine } = await openShop()
      const site = await openSite(host, { backup: engine })
      for (const { method, path } of routes) {
        const where = path.replaceAll(/:\w+/g, '20261120T000000Z-aaaaaaaa')
        for (const user of [null, 'nothing', 'stranger']) {
          const { status, text } = await site.visit(where, { user, method, ...(method === 'POST' ? { form: {} } : {}) })
          expect(status, `${method} ${path} as ${user}`).toBe(403)
          expect(text).not.toContain('shop')
        }
      }
    })

    test('who may only look can do nothing else', async () => {
      const { engine, countOrders, addOrders } = await openShop()
      addOrders(2)
      const { id } = await engine.backup('shop')
      const site = await openSite(host, { backup: engine })
      const before = (await engine.list('shop')).items.length
      for (const path of [
        `/backups`,
        `/backups/${id}/verify`,
        `/backups/${id}/download`,
        '/download',
        `/restore/${id}`,
        `/backups/${id}/compare`,
        `/backups/${id}/keep`,
        `/delete/${id}`,
      ]) {
        const { status } = await site.visit(path, { user: 'viewer', form: { confirm: 'shop' } })
        expect(status, path).toBe(403)
      }
      const { text, status } = await site.visit('/', { user: 'viewer' })
      expect(status).toBe(200)
      expect(text).not.toContain('<button')
      expect((await site.visit(`/restore/${id}`, { user: 'viewer' })).status).toBe(403)
      expect((await engine.list('shop')).items).toHaveLength(before)
      expect(countOrders()).toBe(2)
    })

    test('an action has to come from a page of this very origin, or from a program that says so', async () => {
      const { engine } = await openShop()
      const site = await openSite(host, { backup: engine, trustedOrigins: ['https://ops.example.com'] })
      const cases: readonly (readonly [string, Readonly<Record<string, string>>, boolean])[] = [
        ['same origin', { 'sec-fetch-site': 'same-origin' }, true],
        ['another site', { 'sec-fetch-site': 'cross-site' }, false],
        ['a sibling subdomain', { 'sec-fetch-site': 'same-site' }, false],
        ['another site that adds our header', { 'sec-fetch-site': 'cross-site', 'x-requested-by': 'x' }, false],
        ['an old browser, same origin', { origin: site.origin }, true],
        ['an old browser, other origin', { origin: 'http://evil.test' }, false],
        ['an opaque origin', { origin: 'null' }, false],
        ['an origin that only begins like ours', { origin: `${site.origin}.evil.test` }, false],
        ['no browser and no header', {}, false],
        ['a program', { 'x-requested-by': 'curl' }, true],
        ['a trusted origin', { origin: 'https://ops.example.com', 'sec-fetch-site': 'cross-site' }, true],
      ]
      for (const [name, headers, isFine] of cases) {
        // Of no kind that exists: what gets through the guard is refused behind it, and nothing is made.
        const { status, text } = await site.visit('/api/backups/20261120T000000Z-aaaaaaaa/verify?db=shop', {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: '{"level":"none"}',
        })
        expect([status, text.includes('FOREIGN_ORIGIN')], name).toEqual(isFine ? [400, false] : [403, true])
      }
    })

    test('each answer forbids what is inline, framed or from elsewhere, and has nothing of that kind', async () => {
      const { engine } = await openShop()
      const { id } = await engine.backup('shop')
      const site = await openSite(host, { backup: engine, approvals: 2 })
      const paths = [
        '/',
        '/backups',
        `/backups/${id}`,
        '/restore',
        `/restore/${id}`,
        `/delete/${id}`,
        '/jobs',
        '/storage',
        '/audit',
        '/approvals',
        '/nothing',
      ]
      for (const path of paths) {
        const { headers, text } = await site.visit(path)
        const policy = String(headers['content-security-policy'])
        expect(policy, path).toContain("default-src 'none'")
        expect(policy).toContain("frame-ancestors 'none'")
        expect(policy).not.toContain('unsafe')
        expect(headers['cache-control']).toBe('no-store')
        expect(headers['x-content-type-options']).toBe('nosniff')
        expect(text).not.toMatch(
          /<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*src=)|https?:\/\/(?!www\.w3\.org)/i,
        )
      }
    })

    test('hostile input is an answer, never a crash and never markup', async () => {
      const { engine } = await openShop()
      const site = await openSite(host, { backup: engine })
      const hostile = '<script>alert(1)</script>'
      const encoded = encodeURIComponent(hostile)
      for (const path of [
        `/backups?tier=${encoded}`,
        `/backups?cursor=${encoded}`,
        `/backups?since=${encoded}`,
        `/backups?name=${encoded}`,
        `/backups?storage=${encoded}`,
        `/?db=${encoded}`,
        `/?db=__proto__`,
        `/backups/${encoded}`,
        '/backups/..%2f..%2fetc%2fpasswd',
        `/jobs/${encoded}`,
        '/assets/..%2f..%2fpackage.json',
        '/assets/__proto__',
        `/downloads/${'a'.repeat(500)}`,
        `/backups?name=${'x'.repeat(3000)}`,
        '/backups?limit=1e9',
        `/restore?at=${encoded}`,
        `/restore?span=${encoded}`,
        `/restore?at=${'9'.repeat(900)}`,
        `/restore/${encoded}`,
        `/delete/${encoded}`,
        '/delete/..%2f..%2fx',
      ]) {
        const { status, text } = await site.visit(path)
        expect(status, path).toBeLessThan(500)
        expect(text).not.toContain(hostile)
      }
      const large = await site.visit('/backups', { form: { name: 'x'.repeat(100_000) } })
      expect(large.status).toBe(413)
      const name = await site.visit('/backups', { form: { name: '../../x' } })
      expect(name.status).toBe(400)
      for (const body of ['{', '[]', 'null', '{"name":{"a":1}}', '"x"']) {
        const { status } = await site.visit('/api/backups', {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-requested-by': 'test' },
          body,
        })
        expect(status, body).toBe(400)
      }
      expect((await engine.list('shop')).items).toEqual([])
    })

    test('names that look like markup are text on every page', async () => {
      const { engine } = await openShop()
      const { id } = await engine.backup('shop', { actor: '<img src=x onerror=alert(1)>' })
      const site = await openSite(host, { backup: engine, environment: '"><b>prod' })
      for (const path of ['/', '/backups', `/backups/${id}`, '/restore', `/restore/${id}`, `/delete/${id}`, '/jobs']) {
        const { text } = await site.visit(path)
        expect(text).not.toContain('<img src=x')
        expect(text).not.toContain('"><b>prod')
      }
    })

    test('whoever may write into the storage cannot break a page, nor make a request last for ever', async () => {
      const { engine, disk } = await openShop()
      const { id } = await engine.backup('shop')
      const stamp = `${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
      const put = (key: string, value: unknown): Promise<unknown> =>
        disk.put(`shop/${key}`, bytesBody(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))))
      const job = { id: 'x', database: 'shop', actor: '<b>eve</b>', startedAt: 'never' }
      const writer = { host: 'h', pid: 1, nonce: 'n' }
      for (const [index, odd] of [
        { kind: 'restore', state: 'odd' },
        { kind: 'odd', state: 'running' },
        { kind: 'backup', state: 'running', result: 'text', error: 7 },
        { kind: 'backup', state: 'failed', result: { message: 1, warnings: 2 }, error: { code: 1 } },
      ].entries()) {
        await put(`jobs/${stamp}-000000000000000${index}.json`, {
          format: 1,
          job: { ...job, ...odd },
          writer,
          seenAt: 'x',
        })
      }
      await put(`jobs/${stamp}-00000000000000ff.json`, '{')
      const entry = { format: 1, actor: 'eve', action: 'x', writer: `${stamp}-00000000`, at: 'never', database: 'shop' }
      for (const [seq, odd] of [{ detail: null }, { heads: 'x' }, { heads: [{ writer: 'w', seq: 1e15 }] }].entries()) {
        await put(`audit/${stamp}-00000000/0000000${seq + 1}.json`, { ...entry, seq: seq + 1, ...odd })
      }
      await put(`audit/heads/disk/${stamp}-11111111-99999999-${'a'.repeat(64)}.json`, '{}')
      const asked = {
        database: 'shop',
        backup: id,
        storage: 'disk',
        sha256: '',
        target: '/',
        requestedBy: 'ann',
        reason: '',
      }
      const request = `${stamp}-${'e'.repeat(16)}`
      await put(`approvals/${request}.json`, { format: 1, ...asked, requestedAt: 'never', expiresAt: 'never' })
      await put(`approvals/${stamp}-${'f'.repeat(16)}.json`, 'null')
      const site = await openSite(host, { backup: engine, approvals: 2 })
      for (const path of ['/', '/', '/jobs', '/audit', '/approvals', '/api/overview', '/api/jobs', '/api/audit']) {
        const { status, text } = await site.visit(path)
        expect(status, path).toBe(200)
        expect(text.includes('<b>eve') && !path.startsWith('/api'), path).toBe(false)
      }
      expect((await site.visit('/audit')).text).toContain('not as it was written')
      expect((await site.visit(`/api/approvals/${request}/approve`, { user: 'bob', json: {} })).status).toBe(409)
    })

    test('the host may answer itself: a redirect to its login', async () => {
      const { engine } = await openShop()
      const site = await openSite(host, {
        backup: engine,
        authorize: () => Response.redirect('http://localhost/login', 302),
      })
      const { status, headers } = await site.visit('/')
      expect([status, headers.location]).toEqual([302, 'http://localhost/login'])
    })

    test('what authorize throws is an error without details', async () => {
      const { engine } = await openShop()
      const site = await openSite(host, {
        backup: engine,
        authorize: () => {
          throw new Error('secret detail')
        },
      })
      const { status, text } = await site.visit('/')
      expect(status).toBe(500)
      expect(text).not.toContain('secret')
    })
  })
}
