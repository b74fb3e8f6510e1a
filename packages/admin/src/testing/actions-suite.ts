import { readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { AuditReport } from '@sqlite-backup/core'
import { bytesBody, readObject } from '@sqlite-backup/core'
import { memory } from '@sqlite-backup/core/testing'
import { describe, expect, test } from 'vitest'
import type { Job } from '../jobs.ts'
import type { AdminHost } from './admin-suite.ts'
import { openShop, openSite, type Visit } from './shop.ts'

function jobIdOf({ headers }: Visit): string {
  return /\/jobs\/([0-9A-Z]+-[0-9a-f]+)/.exec(String(headers.location))?.[1] ?? ''
}

/** What people do, as forms and as JSON, and that it is written down. */
export function actionsSuite(host: AdminHost): void {
  describe('actions', () => {
    test.each([false, true])(
      'backs up by a form (body parsed by the host first: %s) and by JSON',
      async (parseBodies) => {
        const { engine, addOrders } = await openShop()
        addOrders(4)
        const site = await openSite(host, { backup: engine }, { parseBodies })
        const answer = await site.visit('/backups', { form: { name: 'by-form' } })
        expect(answer.status).toBe(303)
        expect((await site.visit(`!${answer.headers.location}`)).text).toContain('Backup of shop')
        const byForm = await site.ended(jobIdOf(answer))
        expect(byForm).toMatchObject({ state: 'succeeded', actor: 'ann' })

        const { job } = (await site.visit('/api/backups', { json: { name: 'by-json' } })).json<{ job: Job }>()
        expect((await site.ended(job.id)).state).toBe('succeeded')
        const { items } = await engine.list('shop')
        expect(items.map(({ name }) => name)).toEqual(['by-json', 'by-form'])
        expect((await engine.show('by-form')).manifest).toMatchObject({ actor: 'ann', trigger: 'manual' })
      },
    )

    test('verifies to the level that was asked for', async () => {
      const { engine, addOrders } = await openShop()
      addOrders(2)
      const { id } = await engine.backup('shop')
      const site = await openSite(host, { backup: engine })
      const answer = await site.visit(`/backups/${id}/verify`, { form: { level: 'proven' } })
      const job = await site.ended(jobIdOf(answer))
      expect(job.result?.message).toContain('It is proven')
      expect((await engine.show(id)).records).toMatchObject([{ level: 'proven', outcome: 'ok', tables: { orders: 2 } }])
    })

    test('keeps a backup and gives it back', async () => {
      const { engine } = await openShop()
      const { id } = await engine.backup('shop')
      const site = await openSite(host, { backup: engine })
      expect((await site.visit(`/backups/${id}/keep`, { form: { keep: 'yes', reason: 'audit 2026' } })).status).toBe(
        303,
      )
      expect((await site.visit(`/backups/${id}`)).text).toContain('kept for good')
      expect((await site.visit(`/api/backups/${id}`)).json()).toMatchObject({ kept: true })
      expect((await site.visit(`/api/backups/${id}/keep`, { json: { keep: false } })).json()).toMatchObject({
        kept: false,
      })
      expect((await site.visit(`/backups/${id}`)).text).not.toContain('kept for good')
    })

    test('what cannot be is not in the log; what somebody compared is', async () => {
      const { engine } = await openShop()
      const { id } = await engine.backup('shop')
      const site = await openSite(host, { backup: engine })
      for (const keep of [true, false]) {
        const answer = await site.visit('/api/backups/20260101T000000Z-abcdefgh/keep', { json: { keep } })
        expect(answer.status).toBe(404)
      }
      expect((await site.visit('/api/audit')).json<AuditReport>().entries).toEqual([])
      const { job } = (await site.visit(`/api/backups/${id}/compare`, { json: {} })).json<{ job: Job }>()
      await site.ended(job.id)
      const { entries } = (await site.visit('/api/audit')).json<AuditReport>()
      expect(entries).toMatchObject([{ actor: 'ann', action: 'compare.requested', backup: id }])
    })

    test('restores in place once the name of the database is typed, and not before', async () => {
      const { engine, addOrders, countOrders } = await openShop()
      addOrders(5)
      const { id } = await engine.backup('shop')
      addOrders(3)
      const site = await openSite(host, { backup: engine })
      const plan = await site.visit(`/restore/${id}`)
      expect(plan.text).toContain('Nothing is changed until you confirm')
      for (const confirm of ['', 'Shop', 'shop ', 'app']) {
        const { status, text } = await site.visit(`/restore/${id}`, { form: { confirm, to: 'database' } })
        expect([status, text.includes('Type the name')], confirm).toEqual([400, true])
      }
      const stale = await site.visit(`/api/backups/${id}/restore`, {
        json: { confirm: 'shop', sha256: 'f'.repeat(64) },
      })
      expect([stale.status, stale.json<{ error: { code: string } }>().error.code]).toEqual([409, 'PLAN_CHANGED'])
      expect(countOrders()).toBe(8)

      const answer = await site.visit(`/restore/${id}`, {
        form: { confirm: 'shop', to: 'database', reason: 'bad import' },
      })
      const job = await site.ended(jobIdOf(answer))
      expect(job).toMatchObject({ state: 'succeeded' })
      // Seen by the app's own connection, which stayed open.
      expect(countOrders()).toBe(5)
      expect((await engine.list('shop')).items.map(({ tier }) => tier)).toContain('pre-restore')
      const audit = (await site.visit('/api/audit')).json<AuditReport>()
      expect(audit.entries.map(({ action }) => action)).toEqual(['restore.succeeded', 'restore.started'])
      expect(audit.entries[1]).toMatchObject({ actor: 'ann', backup: id, detail: { reason: 'bad import' } })
    })

    test('of two restores sent at once, one is done; the log says what became of the other', async () => {
      const { engine, addOrders, countOrders } = await openShop()
      addOrders(2)
      const { id } = await engine.backup('shop')
      addOrders(1)
      const site = await openSite(host, { backup: engine })
      const send = () => site.visit(`/api/backups/${id}/restore`, { json: { confirm: 'shop' } })
      const answers = await Promise.all([send(), send(), send()])
      expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409])
      const won = answers.find(({ status }) => status === 202)
      await site.ended(won?.json<{ job: Job }>().job.id ?? '')
      expect(countOrders()).toBe(2)
      const { entries } = (await site.visit('/api/audit')).json<AuditReport>()
      const count = (action: string): number => entries.filter((entry) => entry.action === action).length
      expect(count('restore.started') - count('restore.failed')).toBe(1)
      expect(count('restore.succeeded')).toBe(1)
    })

    test('restores to a file beside the database, and nobody chooses its path', async () => {
      const { engine, addOrders, dir } = await openShop()
      addOrders(5)
      const { id } = await engine.backup('shop')
      const site = await openSite(host, { backup: engine })
      const { job } = (
        await site.visit(`/api/backups/${id}/restore`, {
          json: { to: 'file', output: '/etc/evil.db', target: '/etc/evil.db' },
        })
      ).json<{ job: Job }>()
      const { result } = await site.ended(job.id)
      expect(dirname(result?.file ?? '')).toBe(dir)
      const copy = new DatabaseSync(result?.file ?? '', { readOnly: true })
      expect(copy.prepare('SELECT count(*) AS n FROM orders').get()).toEqual({ n: 5 })
      copy.close()
    })

    test('a download link works once, for who made it, and leaves nothing behind', async () => {
      const { engine, addOrders, dir } = await openShop()
      addOrders(6)
      const { id, manifest } = await engine.backup('shop')
      addOrders(1)
      const site = await openSite(host, { backup: engine })
      const link = async (path: string, json: unknown): Promise<string> =>
        (await site.visit(path, { json })).json<{ path: string }>().path

      const asDatabase = await link(`/api/backups/${id}/download`, {})
      expect((await site.visit(`!${asDatabase}`, { user: 'bob' })).status).toBe(404)
      expect((await site.visit(`!${asDatabase}`, { method: 'HEAD' })).status).toBe(204)
      const got = await site.visit(`!${asDatabase}`)
      expect(got.headers['content-disposition']).toMatch(/^attachment; filename="shop-/)
      expect(rowsIn(dir, got.bytes)).toBe(6)
      expect((await site.visit(`!${asDatabase}`)).status).toBe(410)

      const asStored = await site.visit(`!${await link(`/api/backups/${id}/download`, { form: 'stored' })}`)
      expect(asStored.bytes.byteLength).toBe(manifest?.stored.sizeBytes)

      const live = await site.visit('/download', { form: {} })
      expect(live.status).toBe(303)
      expect(rowsIn(dir, (await site.visit(`!${live.headers.location}`)).bytes)).toBe(7)
      expect(readdirSync(dir).filter((name) => name.includes('download'))).toEqual([])
    })

    test('a link is over after two minutes, and a token cannot be guessed or read from the storage', async () => {
      const { engine, disk } = await openShop()
      const { id } = await engine.backup('shop')
      let now = Date.parse('2026-11-20T12:00:00Z')
      const site = await openSite(host, { backup: engine, now: () => new Date(now) })
      const { path } = (await site.visit(`/api/backups/${id}/download`, { json: {} })).json<{ path: string }>()
      const token = /downloads\/([^?]+)/.exec(path)?.[1] ?? ''
      const { objects } = await disk.list({ prefix: 'shop/links/' })
      for (const { key } of objects) {
        expect(key).not.toContain(token.slice(17))
        expect(Buffer.from(await readObject(disk, key)).toString()).not.toContain(token.slice(17))
        const fromKey = key.slice('shop/links/'.length, -'.json'.length)
        expect((await site.visit(`/downloads/${fromKey}`)).status).toBe(404)
      }
      now += 121_000
      expect((await site.visit(`!${path}`)).status).toBe(410)
    })

    test('the audit log shows that an entry was edited or removed, in this process and after a restart', async () => {
      const { engine, disk } = await openShop()
      const first = await openSite(host, { backup: engine })
      for (let i = 0; i < 3; i++) await first.ended(jobIdOf(await first.visit('/backups', { form: {} })))
      const read = async (site: typeof first): Promise<AuditReport> =>
        (await site.visit('/api/audit')).json<AuditReport>()
      expect(await read(first)).toMatchObject({ problems: [], entries: [{ seq: 3 }, { seq: 2 }, { seq: 1 }] })

      const second = await openSite(host, { backup: engine })
      await second.ended(jobIdOf(await second.visit('/backups', { form: {} })))
      expect((await read(second)).problems).toEqual([])
      const keys = (await disk.list({ prefix: 'shop/audit/' })).objects.map(({ key }) => key)
      const ofFirst = keys.filter(
        (key) => key.split('/')[2] === keys.find((each) => each.endsWith('00000003.json'))?.split('/')[2],
      )
      const [one = '', , three = ''] = ofFirst
      const original = await readObject(disk, one)
      const edited = Buffer.from(Buffer.from(original).toString().replace('"ann"', '"bob"'))
      await disk.put(one, bytesBody(edited))
      expect((await read(second)).problems).toMatchObject([{ seq: 1, kind: 'edited' }])
      expect((await second.visit('/audit')).text).toContain('not as it was written')
      await disk.put(one, bytesBody(original))
      expect((await read(second)).problems).toEqual([])
      // The end of a chain that another process wrote.
      await disk.delete([three])
      expect((await read(second)).problems).toMatchObject([{ seq: 3, kind: 'removed' }])
    })

    test('what cannot be written down is not done', async () => {
      const { engine, countOrders, addOrders } = await openShop({ disk: readOnlyAfterBackups() })
      addOrders(1)
      const { id } = await engine.backup('shop')
      addOrders(1)
      const site = await openSite(host, { backup: engine })
      const { status } = await site.visit(`/api/backups/${id}/restore`, { json: { confirm: 'shop' } })
      expect(status).toBe(503)
      expect(countOrders()).toBe(2)
    })
  })
}

/** Takes backups, and no audit log. */
function readOnlyAfterBackups(): ReturnType<typeof memory> {
  const storage = memory()
  return {
    ...storage,
    put(key, body, options) {
      if (key.includes('/audit/')) return storage.put('', body, options)
      return storage.put(key, body, options)
    },
  }
}

function rowsIn(dir: string, bytes: Buffer): unknown {
  const file = join(dir, `got-${Math.random().toString(36).slice(2)}.db`)
  writeFileSync(file, bytes)
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    return db.prepare('SELECT count(*) AS n FROM orders').get()?.n
  } finally {
    db.close()
  }
}
