import { bytesBody, readObject } from '@sqlite-backup/core'
import { describe, expect, test } from 'vitest'
import type { ComparisonAnswer } from '../actions/compare-backup.ts'
import type { Overview } from '../facts/read-overview.ts'
import type { Job } from '../jobs.ts'
import type { AdminHost } from './admin-suite.ts'
import { openShop, openSite } from './shop.ts'

/** What a restore would do, and to which moment; what is left when the app is restarted in the middle. */
export function restoreSuite(host: AdminHost): void {
  describe('plans, moments and restarts', () => {
    test('a plan says sizes, the wait of writers, and table by table what would be lost', async () => {
      const { engine, db, addOrders } = await openShop()
      addOrders(5)
      db.exec('CREATE TABLE "<b>odd</b>" (x); CREATE TABLE dropped (id INTEGER PRIMARY KEY)')
      const { id } = await engine.backup('shop')
      addOrders(3)
      db.exec(
        `UPDATE orders SET text = 'edited' WHERE id <= 2; ALTER TABLE orders ADD COLUMN paid; DROP TABLE dropped;
         CREATE TABLE added (x); CREATE INDEX by_text ON orders (text)`,
      )
      const site = await openSite(host, { backup: engine })
      const { comparison, ...plan } = (await site.visit(`/api/backups/${id}/plan`)).json<{
        comparison: ComparisonAnswer
      }>()
      expect(plan).toMatchObject({
        id,
        how: 'online',
        pauseMs: expect.any(Number),
        targetSizeBytes: expect.any(Number),
      })
      expect(comparison).toMatchObject({ kind: 'compared' })
      const { text } = await site.visit(`/restore/${id}`)
      expect(text).toContain('3 rows would be lost, 1 table would be gone and 2 rows would get their old values back.')
      expect(text).toContain('without the column <code>paid</code>')
      expect(text).toContain('the table would be back')
      expect(text).toContain('index <code>by_text</code> would be gone')
      expect(text).toContain('Writers wait')
      expect(text).not.toContain('<b>odd')
      // Nobody who may only look learns what is in the tables.
      expect((await site.visit(`/restore/${id}`, { user: 'viewer' })).status).toBe(403)
    })

    test('a comparison can be asked for, and is on the page of its job', async () => {
      const { engine, addOrders } = await openShop()
      addOrders(2)
      const { id } = await engine.backup('shop')
      addOrders(1)
      const site = await openSite(host, { backup: engine })
      const { job } = (await site.visit(`/api/backups/${id}/compare`, { json: {} })).json<{ job: Job }>()
      expect(await site.ended(job.id)).toMatchObject({ state: 'succeeded', result: { comparison: { isSame: false } } })
      const { text } = await site.visit(`/jobs/${job.id}`)
      expect(text).toContain('1 row would be lost.')
      expect(text).toContain(`/restore/${id}`)
    })

    test('the line of restore points: spans, a moment that is asked for, and what is before the first one', async () => {
      const { engine } = await openShop()
      const first = await engine.backup('shop')
      const second = await engine.backup('shop')
      await engine.verify(second.id, { level: 'proven' })
      const site = await openSite(host, { backup: engine })
      const { text } = await site.visit('/restore')
      for (const { id } of [first, second]) expect(text).toContain(`/restore/${id}`)
      expect(text).toContain('class="proven"')
      for (const span of ['day', 'week', 'month', 'year', 'all']) {
        expect((await site.visit(`/restore?span=${span}`)).status, span).toBe(200)
      }
      expect((await site.visit('/restore?span=__proto__')).status).toBe(400)
      const at = await site.visit(`/restore?at=${first.manifest?.created.slice(0, 23)}`)
      expect([at.status, String(at.headers.location).includes(`/restore/${first.id}`)]).toEqual([303, true])
      // Lists show no seconds: the minute that somebody reads there is meant whole.
      expect((await site.visit(`/restore?at=${first.manifest?.created.slice(0, 16)}`)).status).toBe(303)
      const before = await site.visit('/restore?at=2020-01-01T00:00')
      expect([before.status, before.text.includes('no backup at or before')]).toEqual([404, true])
      expect((await site.visit('/restore?at=yesterday')).status).toBe(400)
      expect((await site.visit('/restore', { user: 'viewer' })).status).toBe(403)
      expect((await site.visit('/', { user: 'viewer' })).text).not.toContain('/restore')
    })

    test('jobs outlive a restart, and one whose process ended is shown as interrupted', async () => {
      const { engine, disk } = await openShop()
      const site = await openSite(host, { backup: engine })
      const { job } = (await site.visit('/api/backups', { json: { name: 'first' } })).json<{ job: Job }>()
      await site.ended(job.id)
      const again = await openSite(host, { backup: engine })
      expect((await again.visit(`/jobs/${job.id}`)).text).toContain('Backed up in')
      const { jobs } = (await again.visit('/api/jobs')).json<{ jobs: Job[] }>()
      expect(jobs).toMatchObject([{ id: job.id, state: 'succeeded' }])

      // As a process leaves it that is killed in the middle of a restore.
      const key = `shop/jobs/${job.id}.json`
      const ended = `shop/jobs/${job.id}.ended.json`
      const record = JSON.parse(Buffer.from(await readObject(disk, ended)).toString())
      await disk.delete([ended])
      const killed = {
        ...record,
        job: { ...record.job, kind: 'restore', state: 'running', endedAt: undefined, result: undefined },
        writer: { host: 'gone', pid: 1, nonce: 'x' },
        seenAt: new Date(Date.now() - 3_600_000).toISOString(),
      }
      await disk.put(key, bytesBody(Buffer.from(JSON.stringify(killed))))
      const page = await again.visit(`/jobs/${job.id}`)
      expect(page.text).toContain('It was interrupted')
      expect(page.text).toContain('the old or the new one, whole')
      expect((await again.visit('/jobs')).text).toContain('interrupted')
      const fresh = await openSite(host, { backup: engine })
      expect((await fresh.visit('/api/overview')).json<Overview>().interrupted).toMatchObject([{ id: job.id }])
      expect((await fresh.visit('/')).text).toContain('was interrupted')
      // It is nothing that the next one would wait for.
      expect((await fresh.visit('/api/backups', { json: {} })).status).toBe(202)
    })

    test('a deletion shows what would go, asks for the name, and is written down; what has to stay stays', async () => {
      const { engine } = await openShop()
      const old = (await engine.backup('shop')).id
      const newest = (await engine.backup('shop')).id
      const site = await openSite(host, { backup: engine })
      const codeOf = (answer: { json<T>(): T }): string => answer.json<{ error: { code: string } }>().error.code
      expect((await site.visit(`/delete/${old}`)).text).toContain('Nothing is deleted until you confirm')
      expect((await site.visit(`/delete/${newest}`)).text).toContain('it is the newest backup')
      expect((await site.visit(`/delete/${newest}`)).text).not.toContain('<button class="danger"')
      expect((await site.visit(`/api/backups/${newest}/delete`)).json()).toMatchObject({
        storages: [{ storage: 'disk', heldBy: ['newest'] }],
      })
      expect((await site.visit(`/delete/${old}`, { form: { confirm: 'Shop' } })).status).toBe(400)
      const refused = await site.visit(`/api/backups/${newest}/delete`, { json: { confirm: 'shop' } })
      expect([refused.status, codeOf(refused)]).toEqual([409, 'DELETE_REFUSED'])
      for (const user of ['viewer', 'asker']) {
        expect((await site.visit(`/delete/${old}`, { user })).status).toBe(403)
        expect((await site.visit(`/delete/${old}`, { user, form: { confirm: 'shop' } })).status).toBe(403)
      }
      expect((await engine.list('shop')).items).toHaveLength(2)

      expect((await site.visit(`/delete/${old}`, { form: { confirm: 'shop', reason: 'has a secret' } })).status).toBe(
        303,
      )
      expect((await engine.list('shop')).items.map(({ id }) => id)).toEqual([newest])
      const { entries } = (await site.visit('/api/audit')).json<{ entries: { action: string }[] }>()
      expect(entries).toMatchObject([
        { action: 'delete.succeeded', actor: 'ann', backup: old },
        { action: 'delete.started', backup: old, detail: { reason: 'has a secret' } },
      ])
      expect((await site.visit(`/delete/${old}`)).status).toBe(404)
    })

    test('a restore that one person did alone from the command line is seen by everybody', async () => {
      const { engine } = await openShop()
      const { id } = await engine.backup('shop')
      await engine.restore(id, { actor: 'root@host', breakGlass: { reason: 'nobody <i>awake</i>' } })
      const site = await openSite(host, { backup: engine, approvals: 2 })
      const { text } = await site.visit('/')
      expect(text).toContain('root@host restored shop alone')
      expect(text).not.toContain('<i>awake')
      expect((await site.visit('/approvals')).text).toContain('done alone, without approval')
      expect((await site.visit('/audit')).text).toContain('without a second person')
    })
  })
}
