import { describe, expect, test } from 'vitest'
import type { AdminHost } from './admin-suite.ts'
import { openShop, openSite } from './shop.ts'

/** Where the admin is, its links lead to; everything else is the app's. */
export function mountSuite(host: AdminHost): void {
  describe('mounting', () => {
    test.each(['default', 'path', 'nested'] as const)(
      '%s: pages, links and assets are where it is mounted',
      async (mount) => {
        const { engine } = await openShop()
        const site = await openSite(host, { backup: engine }, { mount })
        for (const path of ['', '/', '/?x=1']) {
          const { status, text } = await site.visit(path)
          expect(status, path).toBe(200)
          expect(text).toContain('<h1')
        }
        const { text } = await site.visit('/')
        const links = [...text.matchAll(/(?:href|src|action|data-events)="([^"#]+)"/g)].map(([, link]) => link ?? '')
        expect(links.length).toBeGreaterThan(5)
        for (const link of links) {
          expect(link.startsWith(`${site.path}/`), link).toBe(true)
          if (link.includes('/assets/')) expect((await site.visit(`!${link}`)).status).toBe(200)
        }
      },
    )

    test('everything else is passed on to the app', async () => {
      const { engine } = await openShop()
      const site = await openSite(host, { backup: engine })
      for (const path of ['!/', '!/admin', '!/admin/backupsx', '!/other']) {
        expect((await site.visit(path)).text, path).toBe('host says 404')
      }
    })

    test('behind a proxy that strips a prefix, publicPath leads the links', async () => {
      const { engine } = await openShop()
      const site = await openSite(host, { backup: engine, publicPath: '/proxied/admin/' }, { mount: 'path' })
      const { text } = await site.visit('/backups')
      expect(text).toContain('href="/proxied/admin/audit"')
      expect(text).not.toContain(`"${site.path}/`)
      const { headers } = await site.visit('/backups', { form: {} })
      expect(headers.location).toMatch(/^\/proxied\/admin\/jobs\//)
    })

    test('a path with dot segments is none: the host saw another one than it would become', async () => {
      const { engine } = await openShop()
      const site = await openSite(host, { backup: engine })
      expect((await site.visit('/restore')).status).toBe(200)
      for (const dots of ['x/../restore', './restore', 'x/%2e%2E/restore', 'x/.%2e/restore', '%2e/restore']) {
        expect((await site.visit(`/${dots}`)).status, dots).toBe(404)
        expect((await site.visit(`/${dots}`, { form: {} })).status, dots).toBe(404)
      }
      for (const path of ['/x\\..\\restore', '/restore/.', '/backups/..', '/api/backups/../audit', '/assets/..']) {
        expect((await site.visit(path)).status, path).toBe(404)
      }
      expect((await site.visit('/backups?x=../y/..')).status).toBe(200)
    })

    test('unknown paths and methods are said to be so', async () => {
      const { engine } = await openShop()
      const site = await openSite(host, { backup: engine })
      expect((await site.visit('/nothing')).status).toBe(404)
      expect((await site.visit('/backups/%zz')).status).toBeGreaterThanOrEqual(400)
      const unknown = await site.visit('/audit', { form: {} })
      expect([unknown.status, unknown.headers.allow]).toEqual([405, 'GET, HEAD'])
      for (const method of ['TRACE', 'OPTIONS', 'DELETE', 'PROPFIND']) {
        const { status } = await site.visit('/audit', { method, headers: { 'x-requested-by': 'test' } })
        expect([404, 405], method).toContain(status)
      }
      expect((await site.visit('/api/nothing')).json()).toMatchObject({ error: { code: 'NOT_FOUND' } })
      const head = await site.visit('/', { method: 'HEAD' })
      expect([head.status, head.text]).toEqual([200, ''])
    })
  })
}
