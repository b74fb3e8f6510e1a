import http from 'node:http'
import { faulty, memory } from '@sqlite-backup/core/testing'
import { describe, expect, test } from 'vitest'
import type { Overview } from '../facts/read-overview.ts'
import type { AdminHost } from './admin-suite.ts'
import { openShop, openSite } from './shop.ts'

/** What the pages and the JSON API say is what the engine knows. */
export function pagesSuite(host: AdminHost): void {
  describe('pages and facts', () => {
    test('before the first backup it says that nothing is safe; after it, until when', async () => {
      const { engine, addOrders } = await openShop()
      const site = await openSite(host, { backup: engine, environment: 'staging' })
      const before = await site.visit('/')
      expect(before.text).toContain('Not backed up yet.')
      expect(before.text).toContain('A crash now would lose everything.')
      expect(before.text).toContain('staging')
      addOrders(3)
      const { id, manifest } = await engine.backup('shop', { name: 'first' })
      const { text } = await site.visit('/')
      expect(text).toContain(`datetime="${manifest?.created}"`)
      expect(text).toContain('Safe until')
      const overview = (await site.visit('/api/overview')).json<Overview>()
      expect(overview.newest.map((item) => item.id)).toEqual([id])
      expect(overview.safety.safeUntil).toBe(manifest?.created)
      expect(overview.storages).toMatchObject([{ storage: 'disk', healthy: true, newest: { id, level: 'stored' } }])
    })

    test('lists, filters and pages through backups; one has its own page with tables and checks', async () => {
      const { engine, addOrders } = await openShop()
      addOrders(7)
      const ids: string[] = []
      for (const tier of ['manual', 'daily', 'milestone'] as const) ids.push((await engine.backup('shop', { tier })).id)
      await engine.verify(ids[2] ?? '', { level: 'proven' })
      const site = await openSite(host, { backup: engine })
      const all = (await site.visit('/api/backups')).json<{ items: { id: string }[] }>()
      expect(all.items.map(({ id }) => id)).toEqual([...ids].reverse())
      const daily = await site.visit('/backups?tier=daily')
      expect(daily.text).toContain(ids[1])
      expect(daily.text).not.toContain(ids[0])
      const first = (await site.visit('/api/backups?limit=2')).json<{ cursor: string }>()
      const second = (await site.visit(`/api/backups?limit=2&cursor=${encodeURIComponent(first.cursor)}`)).json<
        typeof all
      >()
      expect(second.items.map(({ id }) => id)).toEqual([ids[0]])
      const page = await site.visit(`/backups/${ids[2]}`)
      expect(page.text).toMatch(/orders<\/th><td class="number">7</)
      expect(page.text).toContain('proven')
      const details = (await site.visit(`/api/backups/${ids[2]}`)).json()
      expect(details).toMatchObject({ manifest: { id: ids[2] }, records: [{ level: 'proven', outcome: 'ok' }] })
      expect((await site.visit('/backups/20260101T000000Z-aaaaaaaa')).status).toBe(404)
      expect((await site.visit('/storage')).text).toContain('3 backups')
    })

    test('a storage that is down is named, and the page is there all the same', async () => {
      const bad = faulty(memory(), [{ on: 'list', code: 'STORAGE_DENIED', times: Number.POSITIVE_INFINITY }])
      const { engine } = await openShop({ good: memory(), bad })
      await engine.backup('shop', { to: ['good'] })
      const site = await openSite(host, { backup: engine })
      for (const path of ['/jobs', '/approvals', '/audit', '/restore?storage=good']) {
        expect((await site.visit(path)).status, path).toBe(200)
      }
      expect((await site.visit('/audit')).text).toContain('bad could not be read')
      const { status, text } = await site.visit('/')
      expect(status).toBe(200)
      expect(text).toContain('needs a look')
      expect(text).toContain('Safe until')
    })

    test('open pages hear of it when something happens', async () => {
      const { engine } = await openShop()
      const site = await openSite(host, { backup: engine })
      const heard = await new Promise<string>((resolve, reject) => {
        const request = http.get(
          `${site.origin}${site.path}/events`,
          { headers: { 'x-user': 'ann' }, agent: false },
          (response) => {
            expect(response.headers['content-type']).toContain('text/event-stream')
            let text = ''
            let isAsked = false
            response.on('data', (chunk: Buffer) => {
              text += chunk.toString()
              if (!isAsked) {
                isAsked = true
                engine.backup('shop').catch(reject)
              }
              if (text.includes('backup.succeeded')) {
                request.destroy()
                resolve(text)
              }
            })
            response.on('error', () => resolve(text))
          },
        )
        request.on('error', reject)
      })
      expect(heard).toContain('event: changed')
      expect(heard).toContain('event: progress')
    })

    test('a page that listens does not keep the server from closing', async () => {
      const { engine } = await openShop()
      const running = await openSite(host, { backup: engine })
      const isClosed = await new Promise<boolean>((resolve, reject) => {
        const request = http.get(
          `${running.origin}${running.path}/events`,
          { headers: { 'x-user': 'ann' }, agent: false },
          (response) => {
            response.once('data', () => {
              response.resume()
              running.close().then(() => resolve(true), reject)
            })
          },
        )
        request.on('error', reject)
      })
      expect(isClosed).toBe(true)
    })
  })
}
