import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBackup } from '@sqlite-backup/core'
import { memory } from '@sqlite-backup/core/testing'
import Database from 'better-sqlite3'
import express from 'express'
import { expect, test } from 'vitest'
import { backupHealth } from './health.ts'

test('alive and ready without a backup, and /backupz says how the backups are', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'health-'))
  const path = join(dir, 'app.db')
  new Database(path).exec('CREATE TABLE t (n)').close()
  const backup = await openBackup({ databases: { app: path }, storages: { store: memory() } })
  const app = express().use('/health', backupHealth({ backup, cacheMs: 0 }))
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const ask = async (name: string) => {
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/health/${name}`)
    return { status: response.status, headers: response.headers, body: await response.json() }
  }
  expect(await ask('livez')).toMatchObject({ status: 200, body: { status: 'pass' } })
  expect(await ask('readyz')).toMatchObject({ status: 200, body: { status: 'pass' } })
  const before = await ask('backupz')
  expect(before).toMatchObject({ status: 503, body: { status: 'fail' } })
  expect(before.headers.get('content-type')).toContain('application/health+json')
  expect(before.headers.get('cache-control')).toBe('no-store')
  await backup.backup()
  expect(await ask('backupz')).toMatchObject({
    status: 200,
    body: { status: 'warn', checks: { 'app:store': [{ status: 'pass' }] } },
  })
  server.close()
  await backup.close()
  rmSync(dir, { recursive: true })
})
