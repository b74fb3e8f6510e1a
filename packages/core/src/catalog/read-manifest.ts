import { BackupError } from '../errors.ts'
import { type CallOptions, readObject, type Storage } from '../storage/storage.ts'
import { type BackupEntry, catalogKey } from './keys.ts'
import type { Manifest } from './manifest.ts'
import { parseManifest } from './manifest-codec.ts'
import { maxManifestBytes } from './put-manifest.ts'

/**
 * The manifest behind an entry of the catalog, and it says the same as its key: one GET.
 * @throws BackupError `MANIFEST_INVALID`, `OBJECT_MISSING`, and what the storage throws
 */
export async function readManifest(
  storage: Storage,
  entry: Pick<BackupEntry, 'key'>,
  options: CallOptions = {},
): Promise<Manifest> {
  const bytes = await readObject(storage, entry.key, { ...options, maxBytes: maxManifestBytes })
  const manifest = parseManifest(Buffer.from(bytes).toString('utf8'), entry.key)
  if (catalogKey(manifest) === entry.key) return manifest
  throw new BackupError(
    'MANIFEST_INVALID',
    `${entry.key} is not valid: it is the manifest of ${catalogKey(manifest)}.`,
    {
      hint: 'It was copied or renamed. A database folder keeps its name: copy it whole, under another prefix.',
    },
  )
}
