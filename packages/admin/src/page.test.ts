import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AdminOptions } from './create-admin.ts'
import { createAdmin } from './create-admin.ts'
import { sendResponse, toRequest } from './node.ts'
import type { AdminHost, SuiteInput } from './testing/admin-suite.ts'
import { openShop, openSite } from './testing/shop.ts'

const executablePath = '/usr/bin/chromium'
const hasBrowser = existsSync(executablePath)
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Node's own server, without a framework. */
const host: AdminHost = {
  name: 'node:http',
  async start({ admin: options }) {
    const admin = createAdmin(options as AdminOptions<SuiteInput>)
    const server = createServer(async (request, reply) => {
      const answer = await admin.handle(toRequest(request), { input: request, basePath: '/admin/backups' })
      await sendResponse(answer, reply)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return {
      origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      path: '/admin/backups',
      async close() {
        await admin.close()
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      },
    }
  },
}

test('Chromium is there where it has to be', () => {
  if (!hasBrowser) console.warn('skipped: the pages in a browser, because there is no /usr/bin/chromium')
  expect(hasBrowser || !process.env.CI).toBe(true)
})

describe.runIf(hasBrowser)('in Chromium', { timeout: 120_000 }, () => {
  let browser: Browser
  beforeAll(async () => {
    const args = [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
    ]
    browser = await chromium.launch({ executablePath, args: [...args, '--disable-component-update', '--disable-sync'] })
  })
  afterAll(() => browser?.close())

  async function openPage(
    options: Parameters<Browser['newContext']>[0] = {},
  ): Promise<{ page: Page; errors: string[] }> {
    const context = await browser.newContext({ ...options, extraHTTPHeaders: { 'x-user': 'ann' } })
    const page = await context.newPage()
    const errors: string[] = []
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
    page.on('pageerror', (error) => errors.push(String(error)))
    return { page, errors }
  }

  test('no page has a serious finding of axe, an error, or a line that does not fit', async () => {
    const { engine, addOrders } = await openShop()
    addOrders(40)
    const older = (await engine.backup('shop')).id
    const { id } = await engine.backup('shop', { name: 'a-name-that-is-long-enough-to-be-in-the-way-of-a-phone' })
    await engine.verify(id, { level: 'proven' })
    const site = await openSite(host, { backup: engine, approvals: 2, environment: 'production' })
    await site.visit(`/api/backups/${id}/restore`, { user: 'bob', json: { confirm: 'shop', reason: 'x'.repeat(120) } })
    const { job } = (await site.visit(`/api/backups/${id}/compare`, { json: {} })).json<{ job: { id: string } }>()
    const compared = (await site.ended(job.id)).id
    const paths = [
      '/',
      '/backups',
      `/backups/${id}`,
      '/restore',
      `/restore/${id}`,
      `/delete/${id}`,
      `/delete/${older}`,
      '/jobs',
      `/jobs/${compared}`,
      '/storage',
      '/approvals',
      '/audit',
      '/jobs/none',
    ]
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [360, 1440]) {
        const { page, errors } = await openPage({ colorScheme, viewport: { width, height: 800 } })
        for (const path of paths) {
          await page.goto(`${site.origin}${site.path}${path}`)
          await page.evaluate(axe)
          const findings = await page.evaluate<{ violations: { id: string; impact: string }[] }>('axe.run()')
          const serious = findings.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
          expect(
            serious.map((each) => each.id),
            `${path} ${width} ${colorScheme}`,
          ).toEqual([])
          const tooWide = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'
          expect(await page.evaluate(tooWide), `${path} at ${width} px`).toBe(0)
        }
        expect(errors.filter((text) => !text.includes('404'))).toEqual([])
        await page.context().close()
      }
    }
  })

  test('without script: back up, look, type the name, restored', async () => {
    const { engine, addOrders, countOrders } = await openShop()
    addOrders(3)
    const site = await openSite(host, { backup: engine })
    const { page } = await openPage({ javaScriptEnabled: false })
    await page.goto(`${site.origin}${site.path}`)
    await page.getByRole('button', { name: 'Back up now' }).click()
    await page.getByText('Backed up in').waitFor()
    addOrders(4)
    await page.getByRole('link', { name: 'Overview' }).first().click()
    await page.getByRole('link', { name: 'Restore…' }).click()
    await page.getByRole('link', { name: /^The newest/ }).click()
    await page.getByLabel('Type shop to confirm').fill('shop')
    await page.getByRole('button', { name: 'Restore shop' }).click()
    await page.getByText('shop is back as it was').waitFor()
    expect(countOrders()).toBe(3)
    await page.context().close()
  })

  test('with script: the page follows what happens, and the keyboard is enough', async () => {
    const { engine, addOrders } = await openShop()
    addOrders(3)
    const site = await openSite(host, { backup: engine })
    const { page, errors } = await openPage({ timezoneId: 'Asia/Tokyo' })
    await page.goto(`${site.origin}${site.path}`)
    await page.locator('body.is-live').waitFor()
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toContain('Not backed up yet')
    const made = await engine.backup('shop')
    await page.getByText('Safe until').waitFor()
    const [moment] = await page.locator('h1 time').allTextContents()
    expect(moment).toContain(`${made.manifest?.created.slice(11, 16)} UTC`)
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content')

    await page.goto(`${site.origin}${site.path}/restore/${made.id}`)
    const button = page.getByRole('button', { name: 'Restore shop' })
    expect(await button.isDisabled()).toBe(true)
    await page.getByLabel('Type shop to confirm').fill('shop')
    expect(await button.isDisabled()).toBe(false)
    await page.keyboard.press('Enter')
    await page.getByRole('strong').getByText('shop is back as it was').waitFor()
    expect(errors).toEqual([])

    // Times are the reader's own, what is sent is UTC: nine hours lie between them here.
    await page.goto(`${site.origin}${site.path}/restore`)
    const local = new Date(Date.now() + (9 + 24) * 3_600_000).toISOString().slice(0, 16)
    await page.getByLabel('at or before (your time, Asia/Tokyo)').fill(local)
    const asked = page.waitForRequest(/at=/)
    await page.getByRole('button', { name: 'Find it' }).click()
    const at = new URL((await asked).url()).searchParams.get('at')
    expect(Date.parse(at ?? '')).toBe(Date.parse(`${local}:59.999+09:00`))

    // Somebody who looks at an old page should know.
    await page.goto(`${site.origin}${site.path}`)
    await page.locator('body.is-live').waitFor()
    await site.close()
    await page.getByText('The app does not answer.').waitFor()
    await page.context().close()
  })

  test('the first page weighs 60 KB at most, with everything it needs', async () => {
    const { engine } = await openShop()
    for (let i = 0; i < 8; i++) await engine.backup('shop')
    const site = await openSite(host, { backup: engine })
    const { text } = await site.visit('/')
    const assets = [...text.matchAll(/(?:href|src)="([^"]+\/assets\/[^"]+)"/g)].map(([, path]) => path ?? '')
    const sizes = await Promise.all(assets.map(async (path) => (await site.visit(`!${path}`)).bytes.byteLength))
    expect(sizes).toHaveLength(3)
    expect(sizes.reduce((sum, size) => sum + size, Buffer.byteLength(text))).toBeLessThanOrEqual(60_000)
  })
})
