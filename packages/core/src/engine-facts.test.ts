import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { engineVersion, readVersion } from './engine-facts.ts'

test('a bundled engine says so at once, whatever lies around it', () => {
  const root = mkdtempSync(join(tmpdir(), 'bundled-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const bundle = join(root, 'app', 'out', 'server.mjs')
  mkdirSync(join(root, 'app', 'out'), { recursive: true })
  const refusal = expect.objectContaining({ code: 'CAPTURE_ENTRY_MISSING', hint: expect.stringContaining('esbuild') })
  expect(() => readVersion(pathToFileURL(bundle).href)).toThrow(refusal)
  // Of the app, whose version is not ours.
  writeFileSync(join(root, 'app', 'package.json'), JSON.stringify({ name: 'shop', version: '9.9.9' }))
  expect(() => readVersion(pathToFileURL(bundle).href)).toThrow(refusal)
  // A bundle in CommonJS has no import.meta.url.
  expect(() => readVersion('')).toThrow(refusal)
  expect(engineVersion).toMatch(/^\d+\.\d+\.\d+/)
})
