import { createRequire } from 'node:module'
import type { Manifest } from './catalog/manifest.ts'

/** Our own version. */
export const engineVersion: string = readVersion()

/** Who made a backup, for its manifest. `sqlite` is the version in the capture process. */
export function engineFacts(sqlite: string): Manifest['engine'] {
  return { version: engineVersion, sqlite, node: process.versions.node }
}

function readVersion(): string {
  // From src/ and from dist/ alike, package.json is one folder up.
  const manifest: unknown = createRequire(import.meta.url)('../package.json')
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : '0.0.0'
}
