import { bytesBody, type Storage } from '../../storage/storage.ts'
import { backupId } from '../backup-id.ts'
import { bodyKey } from '../keys.ts'
import type { Manifest } from '../manifest.ts'
import { putManifest } from '../put-manifest.ts'

export interface ExampleFacts {
  readonly database?: string
  readonly created?: Date | string
  readonly tier?: Manifest['tier']
  readonly name?: string
  readonly writer?: string
  readonly parent?: string
  readonly environment?: string
  /** Five bytes or more. */
  readonly random?: Uint8Array
}

let counter = 0

/** A manifest of a small backup that could be true. Ids are distinct and the same in every run. */
export function exampleManifest(facts: ExampleFacts = {}): Manifest {
  const { database = 'app', tier = 'hourly', name, writer = 'writer-1', parent, environment } = facts
  const created = new Date(facts.created ?? '2026-11-20T03:00:00.000Z')
  counter += 1
  const random = facts.random ?? Uint8Array.of(0, counter >>> 24, counter >>> 16, counter >>> 8, counter)
  const id = backupId(created, random)
  return {
    format: 1,
    id,
    database,
    created: created.toISOString(),
    tier,
    ...(name === undefined ? {} : { name }),
    trigger: 'schedule',
    lineage: {
      writer,
      ...(environment === undefined ? {} : { environment }),
      ...(parent === undefined ? {} : { parent }),
    },
    source: {
      pageSize: 4096,
      pageCount: 2,
      journalMode: 'wal',
      userVersion: 3,
      applicationId: 0,
      schemaCookie: 7,
    },
    body: bodyKey({ database, tier, created, id, compression: 'zst', encrypted: false }),
    plain: { sizeBytes: 8192, sha256: 'a'.repeat(64) },
    stored: { sizeBytes: 4, sha256: 'b'.repeat(64) },
    compression: 'zst',
    engine: { version: '0.0.0', sqlite: '3.53.0', node: 'v24.21.0' },
  }
}

/** Puts a body of the promised size and the manifest. */
export async function putExample(storage: Storage, facts: ExampleFacts = {}): Promise<Manifest> {
  const manifest = exampleManifest(facts)
  await storage.put(manifest.body, bytesBody(Buffer.from('body')))
  await putManifest(storage, manifest)
  return manifest
}
