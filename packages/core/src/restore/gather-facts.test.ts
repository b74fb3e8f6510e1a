import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { inspect } from '../capture/inspect.ts'
import type { Manifest } from '../catalog/manifest.ts'
import { memory } from '../storage/memory.ts'
import { gatherFacts } from './gather-facts.ts'

const manifest: Manifest = {
  format: 1,
  id: '20261120T030000Z-abcdefgh',
  database: 'app',
  created: '2026-11-20T03:00:00.000Z',
  tier: 'pre-migration',
  trigger: 'migration',
  lineage: { writer: 'w' },
  source: { pageSize: 4096, pageCount: 2, journalMode: 'wal', userVersion: 0, applicationId: 0, schemaCookie: 1 },
  body: 'app/backups/pre-migration/x.db.zst',
  plain: { sizeBytes: 8192, sha256: '' },
  stored: { sizeBytes: 400, sha256: '' },
  compression: 'zst',
  engine: { version: '1', sqlite: '3', node: '24' },
}

test('an image that lies on the volume of the target needs no more room there', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'facts-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const image = join(dir, 'image')
  writeFileSync(image, 'pages')
  const request = {
    capture: { inspect: ({ path }: { readonly path: string }) => inspect(path, AbortSignal.timeout(60_000)) },
    from: { name: 'disk', storage: memory() },
    manifest,
    target: join(dir, 'app.db'),
    mode: 'in-place',
    spoolDir: dir,
    reserveBytes: 0,
  } as const
  expect(await gatherFacts({ ...request, image })).toMatchObject({ isUnpacked: true, found: { state: 'missing' } })
  // A roll-back that was interrupted has taken it.
  expect(await gatherFacts({ ...request, image: join(dir, 'gone') })).toMatchObject({ isUnpacked: false })
  expect(await gatherFacts(request)).toMatchObject({ isUnpacked: false })
})
