import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { configTemplate } from './config-template.ts'

describe('configTemplate', () => {
  it('is a module that Node reads, whatever the names are', async () => {
    const choices = {
      databases: [{ name: 'my-app', path: "./it's here\\app.db" }],
      storages: [{ name: 'local', url: './backups' }],
    }
    const text = configTemplate(choices).replace(/^import .*$/m, 'const defineConfig = <T>(config: T): T => config')
    const dir = mkdtempSync(join(tmpdir(), 'template-'))
    try {
      writeFileSync(join(dir, 'config.mts'), text)
      const { default: config } = await import(pathToFileURL(join(dir, 'config.mts')).href)
      expect(config).toEqual({
        databases: { 'my-app': "./it's here\\app.db" },
        storages: { local: './backups' },
      })
    } finally {
      rmSync(dir, { recursive: true })
    }
  })

  it('names no way to put a secret into the file', () => {
    const choices = { databases: [{ name: 'app', path: './app.db' }], storages: [{ name: 'offsite', url: 's3://b/p' }] }
    expect(configTemplate(choices)).not.toMatch(/secretAccessKey|password|passphrase:/i)
  })
})
