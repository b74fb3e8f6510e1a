import type { Manifest } from '../catalog/manifest.ts'
import { putManifest } from '../catalog/put-manifest.ts'
import { BackupError } from '../errors.ts'
import type { Body, Storage } from '../storage/storage.ts'

export interface StoreBackup {
  readonly storage: Storage
  /** Key of the body. */
  readonly key: string
  readonly body: Body
  /** The manifest, once the body is complete and its digests are known. */
  readonly manifest: Promise<Manifest>
  readonly onProgress?: (sentBytes: number) => void
  readonly signal?: AbortSignal
}

export interface StoredBackup {
  readonly encryption?: string
}

/**
 * One body and then its manifest into one storage. The manifest goes last: until it is there the backup does not exist,
 * and a crash in between leaves an orphan body that `doctor` names.
 * @throws BackupError what the storage throws; `BODY_TRUNCATED` when it holds another size than was sent
 */
export async function storeBackup(options: StoreBackup): Promise<StoredBackup> {
  const { storage, key, body, signal } = options
  const put = await storage.put(key, body, {
    contentType: 'application/octet-stream',
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    ...(signal === undefined ? {} : { signal }),
  })
  const manifest = await options.manifest
  const { sizeBytes } = await storage.head(key, { signal })
  if (sizeBytes !== manifest.stored.sizeBytes) {
    throw new BackupError(
      'BODY_TRUNCATED',
      `${storage.name} holds ${sizeBytes} bytes of ${key}, but ${manifest.stored.sizeBytes} were sent.`,
      { hint: 'The manifest was not written, so this backup does not exist there. The next run stores a new one.' },
    )
  }
  await putManifest(storage, manifest, { signal })
  return put.encryption === undefined ? {} : { encryption: put.encryption }
}
