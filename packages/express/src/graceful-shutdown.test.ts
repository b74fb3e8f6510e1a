import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openBackup } from '@sqlite-backup/core'
import { createMachine, type Machine, memory, type RunningApp } from '@sqlite-backup/core/testing'
import Database from 'better-sqlite3'
import express from 'express'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { gracefulShutdown } from './graceful-shutdown.ts'

let root: string
let count = 0

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'express-'))
})
afterAll(() => rmSync(root, { recursive: true }))

describe('an app that is told to stop', () => {
  const appFile = fileURLToPath(new URL('./testing/app.ts', import.meta.url))

  function machine(): Machine {
    return createMachine({ root, name: `machine-${++count}`, command: () => [process.execPath, appFile] })
  }
  const tiersOf = async (on: Machine): Promise<readonly string[]> => (await on.backups()).map(({ tier }) => tier)

  /** Asks with keep-alive, and leaves the connection open. */
  function ask(app: RunningApp, path: string, agent: Agent): Promise<string> {
    return new Promise((resolve, reject) => {
      get(app.url + path, { agent }, (response) => {
        let body = ''
        response
          .setEncoding('utf8')
          .on('data', (text: string) => {
            body += text
          })
          .once('end', () => resolve(body))
      }).once('error', reject)
    })
  }

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'answers a keep-alive client that is in the middle of a request, backs up what that wrote, and ends by the signal (%s)',
    async (signal) => {
      const here = machine()
      const app = await here.start({ SQLITE_BACKUP_STOP_DEADLINE: '20s' })
      const agent = new Agent({ keepAlive: true })
      const answer = ask(app, '/slow?ms=500', agent)
      await app.waitFor(/at work/)
      // Without a sweep the connection would be waited for: 72 s here, beyond the deadline.
      expect(await app.stop(signal)).toBe(signal)
      expect(JSON.parse(await answer)).toEqual(['by the last request'])
      agent.destroy()
      expect(await tiersOf(here)).toEqual(['shutdown'])
      expect(here.rows()).toEqual(['by the last request'])
      expect(app.output()).not.toContain('no time')
    },
  )

  test('cuts off a client that never ends, in time for the last backup', async () => {
    const here = machine()
    const app = await here.start({ SQLITE_BACKUP_STOP_DEADLINE: '8s' })
    await app.add('one')
    const endless = connect(Number(new URL(app.url).port), '127.0.0.1')
    endless.write('GET /forever HTTP/1.1\r\nhost: app\r\n\r\n')
    await new Promise((resolve) => endless.once('data', resolve))
    const gone = new Promise((resolve) => endless.once('close', resolve))
    expect(await app.stop()).toBe('SIGTERM')
    await gone
    expect(await tiersOf(here)).toEqual(['shutdown'])
  })

  test('makes its last backup though something else of the app never closes', async () => {
    const here = machine()
    const app = await here.start({ STUCK: '1', SQLITE_BACKUP_STOP_DEADLINE: '6s' })
    await app.add('one')
    expect(await app.stop()).toBe('SIGTERM')
    expect(await tiersOf(here)).toEqual(['shutdown'])
  })

  test('does so, too, when something else in the process listens to the signal', async () => {
    const here = machine()
    const app = await here.start({ OWN_LISTENER: '1' })
    await app.add('one')
    // Nothing is left that keeps the process alive.
    expect(await app.stop()).toBe(0)
    expect(app.output()).toContain('heard it, too')
    expect(await tiersOf(here)).toEqual(['shutdown'])
  })
})

describe('without a signal', () => {
  async function app(options: { readonly onDrained?: () => unknown; readonly lastBackup?: false } = {}) {
    const dir = join(root, `app-${++count}`)
    mkdirSync(dir)
    const path = join(dir, 'app.db')
    const store = memory()
    new Database(path).exec('CREATE TABLE t (n)').close()
    const config = { databases: { app: path }, storages: { store }, stop: { deadline: '5s' } } as const
    const backup = await openBackup(config)
    const server = express().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const shutdown = gracefulShutdown(server, { backup, signals: false, ...options })
    const backups = async () => {
      const reader = await openBackup(config)
      const { items } = await reader.list()
      await reader.close()
      return items.map(({ tier }) => tier)
    }
    return { backup, server, shutdown, backups, config }
  }

  test('the returned function shuts down; twice is once', async () => {
    const steps: string[] = []
    const { backup, server, shutdown, backups } = await app({ onDrained: () => steps.push('drained') })
    backup.on('backup.succeeded', () => steps.push('backed up'))
    await Promise.all([shutdown(), shutdown()])
    expect(steps).toEqual(['drained', 'backed up'])
    expect(server.listening).toBe(false)
    expect(await backups()).toEqual(['shutdown'])
    await expect(backup.backup()).rejects.toMatchObject({ code: 'CLOSED' })
    expect(process.listenerCount('SIGTERM')).toBe(0)
  })

  test('a server that somebody else has closed already does not cost the last backup', async () => {
    const { server, shutdown, backups } = await app()
    await new Promise((resolve) => server.close(resolve))
    await shutdown()
    expect(await backups()).toEqual(['shutdown'])
  })

  test('what onDrained throws is thrown, after the last backup', async () => {
    const { shutdown, backups } = await app({
      onDrained: () => {
        throw new Error('the queue is stuck')
      },
    })
    await expect(shutdown()).rejects.toThrow('the queue is stuck')
    expect(await backups()).toEqual(['shutdown'])
  })

  test('lastBackup: false makes none', async () => {
    const { shutdown, backups } = await app({ lastBackup: false })
    await shutdown()
    expect(await backups()).toEqual([])
  })

  test('a port that is taken is no app that ran: nothing is backed up', async () => {
    const { server: other, config, shutdown: stopOther, backups } = await app({ lastBackup: false })
    const backup = await openBackup(config)
    const refused = Promise.withResolvers<unknown>()
    const server = express().listen((other.address() as AddressInfo).port, '127.0.0.1', refused.resolve)
    const shutdown = gracefulShutdown(server, { backup, signals: false })
    expect(await refused.promise).toMatchObject({ code: 'EADDRINUSE' })
    await shutdown()
    expect(await backups()).toEqual([])
    await stopOther()
  })

  test('an option that does not exist is refused with the nearest one', async () => {
    const { backup, server, shutdown } = await app()
    // @ts-expect-error: that is the point
    expect(() => gracefulShutdown(server, { backup, onDrain: () => {} })).toThrow(
      /Unknown option "onDrain" of gracefulShutdown\(\)\. Did you mean "onDrained"\?/,
    )
    await shutdown()
  })
})
