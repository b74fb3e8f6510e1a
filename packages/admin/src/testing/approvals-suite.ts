import type { AuditReport } from '@sqlite-backup/core'
import { describe, expect, test } from 'vitest'
import type { RestoreRequestReport } from '../actions/restore-request.ts'
import type { Job } from '../jobs.ts'
import type { AdminHost } from './admin-suite.ts'
import { openShop, openSite, type Shop, type Site } from './shop.ts'

async function shopWithTwoStates(): Promise<Shop & { readonly id: string }> {
  const shop = await openShop()
  shop.addOrders(5)
  const { id } = await shop.engine.backup('shop')
  shop.addOrders(3)
  return { ...shop, id }
}

async function askFor(site: Site, id: string, user = 'ann'): Promise<RestoreRequestReport> {
  const answer = await site.visit(`/api/backups/${id}/restore`, {
    user,
    json: { confirm: 'shop', reason: 'bad import' },
  })
  expect(answer.status).toBe(202)
  return answer.json<{ request: RestoreRequestReport }>().request
}

function codeOf(answer: { json<T>(): T }): string {
  return answer.json<{ error: { code: string } }>().error.code
}

/** Restores that need two people. */
export function approvalsSuite(host: AdminHost): void {
  describe('approvals: 2', () => {
    test('one asks, another approves, and only then it is restored', async () => {
      const { engine, id, countOrders } = await shopWithTwoStates()
      const site = await openSite(host, { backup: engine, approvals: 2 })
      const asked = await site.visit(`/restore/${id}`, {
        form: { confirm: 'shop', to: 'database', reason: 'bad import' },
      })
      expect([asked.status, asked.headers.location]).toEqual([303, `${site.path}/approvals`])
      const { requests } = (await site.visit('/api/approvals')).json<{ requests: RestoreRequestReport[] }>()
      expect(requests).toMatchObject([{ state: 'waiting', requestedBy: 'ann', backup: id, reason: 'bad import' }])
      const [request] = requests
      expect(countOrders()).toBe(8)

      const own = await site.visit(`/api/approvals/${request?.id}/approve`, { json: {} })
      expect([own.status, codeOf(own)]).toEqual([403, 'SAME_ACTOR'])
      expect((await site.visit('/approvals')).text).not.toContain('Approve and restore')
      expect((await site.visit('/approvals', { user: 'bob' })).text).toContain('Approve and restore')
      const plan = await site.visit(`/restore/${id}`, { user: 'approver' })
      expect(plan.status).toBe(200)
      expect(plan.text).toContain('3 rows would be lost')
      expect(plan.text).not.toContain('Ask for approval')
      expect((await site.visit(`/restore/${id}`, { user: 'approver', form: { confirm: 'shop' } })).status).toBe(403)
      for (const user of ['viewer', 'asker', 'nothing', null]) {
        expect((await site.visit(`/api/approvals/${request?.id}/approve`, { user, json: {} })).status).toBe(403)
      }
      expect(countOrders()).toBe(8)

      const { job } = (await site.visit(`/api/approvals/${request?.id}/approve`, { user: 'bob', json: {} })).json<{
        job: Job
      }>()
      expect(await site.ended(job.id)).toMatchObject({ state: 'succeeded', actor: 'bob' })
      expect(countOrders()).toBe(5)
      const again = await site.visit(`/api/approvals/${request?.id}/approve`, { user: 'bob', json: {} })
      expect([again.status, codeOf(again)]).toEqual([409, 'REQUEST_USED'])
      const { entries } = (await site.visit('/api/audit')).json<AuditReport>()
      expect(entries.map(({ action, actor }) => `${actor} ${action}`)).toEqual([
        'bob restore.succeeded',
        'bob restore.approved',
        'ann restore.requested',
      ])
    })

    test('another spelling of the same id is the same person', async () => {
      const { engine, id } = await shopWithTwoStates()
      const site = await openSite(host, { backup: engine, approvals: 2 })
      const request = await askFor(site, id, 'bob')
      const answer = await site.visit(`/api/approvals/${request.id}/approve`, { user: 'Bob ', json: {} })
      // A header value is trimmed on its way, so this is nobody or the same person: never another one.
      expect(answer.status).toBe(403)
    })

    test('a request is over after 30 minutes', async () => {
      const { engine, id, countOrders } = await shopWithTwoStates()
      let nowMs = Date.now()
      const site = await openSite(host, { backup: engine, approvals: 2, now: () => new Date(nowMs) })
      const request = await askFor(site, id)
      nowMs += 30 * 60_000
      const late = await site.visit(`/api/approvals/${request.id}/approve`, { user: 'bob', json: {} })
      expect([late.status, codeOf(late)]).toEqual([409, 'REQUEST_EXPIRED'])
      expect((await site.visit('/approvals', { user: 'bob' })).text).toContain('expired')
      expect(countOrders()).toBe(8)
    })

    test('it survives a restart, and of several workers one restores', async () => {
      const { engine, id, countOrders } = await shopWithTwoStates()
      const first = await openSite(host, { backup: engine, approvals: 2 })
      const request = await askFor(first, id)
      const workers = [
        await openSite(host, { backup: engine, approvals: 2 }),
        await openSite(host, { backup: engine, approvals: 2 }),
      ]
      const answers = await Promise.all(
        workers.map(async (site) => ({
          site,
          answer: await site.visit(`/api/approvals/${request.id}/approve`, { user: 'bob', json: {} }),
        })),
      )
      expect(answers.map(({ answer }) => answer.status).sort()).toEqual([202, 409])
      const won = answers.find(({ answer }) => answer.status === 202)
      await won?.site.ended(won.answer.json<{ job: Job }>().job.id)
      expect(countOrders()).toBe(5)
    })

    test('a denied request cannot be approved; who asked may take it back', async () => {
      const { engine, id, countOrders } = await shopWithTwoStates()
      const site = await openSite(host, { backup: engine, approvals: 2 })
      const denied = await askFor(site, id)
      expect((await site.visit(`/api/approvals/${denied.id}/deny`, { user: 'viewer', json: {} })).status).toBe(403)
      expect((await site.visit(`/api/approvals/${denied.id}/deny`, { user: 'bob', json: {} })).status).toBe(200)
      expect(codeOf(await site.visit(`/api/approvals/${denied.id}/approve`, { user: 'bob', json: {} }))).toBe(
        'REQUEST_USED',
      )
      const taken = await askFor(site, id, 'asker')
      expect((await site.visit(`/api/approvals/${taken.id}/deny`, { user: 'asker', json: {} })).status).toBe(200)
      expect(countOrders()).toBe(8)
    })

    test('a request that was tampered with in the storage is not carried out', async () => {
      const { engine, id, disk, countOrders } = await shopWithTwoStates()
      const other = (await engine.backup('shop')).id
      const site = await openSite(host, { backup: engine, approvals: 2 })
      const request = await askFor(site, id)
      const key = `shop/approvals/${request.id}.json`
      const { bytesBody, readObject } = await import('@sqlite-backup/core')
      const text = Buffer.from(await readObject(disk, key)).toString()
      await disk.put(key, bytesBody(Buffer.from(text.replace(id, other))))
      const answer = await site.visit(`/api/approvals/${request.id}/approve`, { user: 'bob', json: {} })
      expect([answer.status, codeOf(answer)]).toEqual([409, 'PLAN_CHANGED'])
      expect(countOrders()).toBe(8)
    })

    test('the rule is in the storage before anybody opens a page, and goes when approvals: 1 is said', async () => {
      const { engine, disk, id } = await shopWithTwoStates()
      const key = 'shop/approvals/required.json'
      const hasRule = (): Promise<boolean> =>
        disk.head(key).then(
          () => true,
          () => false,
        )
      const site = await openSite(host, { backup: engine, approvals: 2 })
      await expect.poll(hasRule).toBe(true)
      await disk.delete([key])
      await askFor(site, id)
      await expect.poll(hasRule).toBe(true)
      // Another app on this storage says nothing of it: that is no order to take it away.
      const silent = await openSite(host, { backup: engine })
      expect((await silent.visit('/approvals')).status).toBe(200)
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(await hasRule()).toBe(true)
      const alone = await openSite(host, { backup: engine, approvals: 1 })
      expect((await alone.visit('/approvals')).status).toBe(200)
      await expect.poll(hasRule).toBe(false)
    })

    test('a restore to a file needs nobody else', async () => {
      const { engine, id } = await shopWithTwoStates()
      const site = await openSite(host, { backup: engine, approvals: 2 })
      const { job } = (await site.visit(`/api/backups/${id}/restore`, { json: { to: 'file' } })).json<{ job: Job }>()
      expect((await site.ended(job.id)).state).toBe('succeeded')
    })
  })
}
