import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { backupId } from '../../catalog/backup-id.ts'
import { bodyKey } from '../../catalog/keys.ts'
import type { Manifest } from '../../catalog/manifest.ts'
import { putManifest } from '../../catalog/put-manifest.ts'
import type { Compression, Encryption } from '../../codec/codec.ts'
import { bytesBody, type Storage } from '../../storage/storage.ts'
import { createWorkClient } from '../../work/client.ts'

export interface StoredBackupOptions {
  readonly database?: string
  readonly created?: Date
  readonly compression?: Compression
  readonly encryption?: Encryption
  readonly lineage?: Partial<Manifest['lineage']>
}

/** For tests: packs a database image that is not live and stores it as a backup, as the backup verb would. */
export async function storeBackupOf(
  image: string,
  storages: readonly Storage[],
  options: StoredBackupOptions = {},
): Promise<Manifest> {
  const { database = 'app', created = new Date(), compression = 'zst', encryption } = options
  const dir = mkdtempSync(join(tmpdir(), 'stored-backup-'))
  try {
    const spoolFile = join(dir, 'body')
    const digests = await createWorkClient().encode({
      file: image,
      spoolFile,
      encode: {
        compression,
        level: 1,
        frameSizeBytes: 256 * 1024,
        inFlight: 2,
        pieceSizeBytes: 1024 * 1024,
        ...(encryption === undefined ? {} : { encryption }),
      },
    })
    const id = backupId(created, randomBytes(5))
    const manifest: Manifest = {
      format: 1,
      id,
      database,
      created: created.toISOString(),
      tier: 'manual',
      trigger: 'manual',
      lineage: { writer: 'test', ...options.lineage },
      source: sourceOf(image),
      body: bodyKey({ database, tier: 'manual', created, id, compression, encrypted: encryption !== undefined }),
      ...digests,
      compression,
      ...(encryption === undefined
        ? {}
        : {
            encryption: {
              method: 'age',
              recipients: 'recipients' in encryption ? encryption.recipients : 'passphrase',
            },
          }),
      engine: { version: '0.0.0', sqlite: '3', node: process.versions.node },
    }
    const body = bytesBody(readFileSync(spoolFile))
    for (const storage of storages) {
      await storage.put(manifest.body, body)
      await putManifest(storage, manifest)
    }
    return manifest
  } finally {
    rmSync(dir, { recursive: true })
  }
}

function sourceOf(image: string): Manifest['source'] {
  const header = readFileSync(image).subarray(0, 100)
  const pageSize = header.readUInt16BE(16) === 1 ? 65536 : header.readUInt16BE(16)
  return {
    pageSize,
    pageCount: header.readUInt32BE(28),
    journalMode: header[18] === 2 ? 'wal' : 'rollback',
    userVersion: 0,
    applicationId: 0,
    schemaCookie: header.readUInt32BE(40),
  }
}
