import { createRequire } from 'node:module'
import type { Manifest } from './catalog/manifest.ts'
import { BackupError } from './errors.ts'
import { bundledHint } from './rpc/entry.ts'

/** Our own version. */
export const engineVersion: string = readVersion(import.meta.url)

/** Who made a backup, for its manifest. `sqlite` is the version in the capture process. */
export function engineFacts(sqlite: string): Manifest['engine'] {
  return { version: engineVersion, sqlite, node: process.versions.node }
}

/**
 * From src/ and from dist/ alike, package.json is one folder up.
 * @throws BackupError `CAPTURE_ENTRY_MISSING` when it is not ours: a bundler has put this code into another file, and what
 * it would start lies somewhere else. An app must hear that when it starts, not when its first backup is due.
 */
export function readVersion(from: string): string {
  const { manifest, cause } = load(from)
  if (typeof manifest === 'object' && manifest !== null && 'name' in manifest && 'version' in manifest) {
    if (manifest.name === '@sqlite-backup/core') return String(manifest.version)
  }
  throw new BackupError(
    'CAPTURE_ENTRY_MISSING',
    '@sqlite-backup/core was bundled into the app, away from the files it starts processes with.',
    { hint: bundledHint, cause },
  )
}

function load(from: string): { readonly manifest?: unknown; readonly cause?: unknown } {
  try {
    return { manifest: createRequire(from)('../package.json') }
  } catch (cause) {
    return { cause }
  }
}
