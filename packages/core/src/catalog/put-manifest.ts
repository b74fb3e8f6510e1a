import { BackupError } from '../errors.ts'
import { bytesBody, type CallOptions, type Storage } from '../storage/storage.ts'
import { catalogKey } from './keys.ts'
import type { Manifest } from './manifest.ts'
import { serializeManifest, validateManifest } from './manifest-codec.ts'

/** The largest manifest that is written or read, in bytes. */
export const maxManifestBytes = 256 * 1024

/**
 * Writes the manifest of a backup whose body is stored: from now on the backup exists. Returns its key.
 * @throws BackupError `MANIFEST_INVALID`, and what the storage throws
 */
export async function putManifest(storage: Storage, manifest: Manifest, options: CallOptions = {}): Promise<string> {
  const key = catalogKey(manifest)
  // What could not be read again must not be written.
  const bytes = Buffer.from(serializeManifest(validateManifest(manifest, key)))
  if (bytes.byteLength > maxManifestBytes) {
    throw new BackupError(
      'MANIFEST_INVALID',
      `${key} would have ${bytes.byteLength} bytes, more than ${maxManifestBytes}.`,
    )
  }
  await storage.put(key, bytesBody(bytes), { ...options, contentType: 'application/json' })
  return key
}
