import { type CallOptions, type ListedObject, listAll, type Storage } from '../storage/storage.ts'
import { type BackupEntry, bodyFolder, catalogFolder, parseBodyKey, parseCatalogKey, stampText } from './keys.ts'
import { tiers } from './manifest.ts'

/** What does not belong together in a storage. */
export type Orphan =
  /** A crash between body and manifest: bytes that no backup uses. */
  | { readonly kind: 'body-without-manifest'; readonly id: string; readonly key: string; readonly sizeBytes: number }
  /** A backup that cannot be restored: its body was deleted. */
  | { readonly kind: 'manifest-without-body'; readonly id: string; readonly key: string }
  /** A backup whose body is not as long as it was. */
  | {
      readonly kind: 'body-of-another-size'
      readonly id: string
      readonly key: string
      readonly sizeBytes: number
      readonly expectedSizeBytes: number
    }

export interface FindOrphansOptions extends CallOptions {
  readonly now: Date
  /** A younger body may be one that is still on its way to its manifest. @default 24 hours */
  readonly minAgeMs?: number
}

const DAY_MS = 86_400_000

interface BodyFound {
  readonly id: string
  /** Sorts bodies and manifests alike. */
  readonly order: string
  readonly created: Date
  readonly object: ListedObject
}

interface ManifestFound extends BackupEntry {
  readonly order: string
}

/**
 * Compares the bodies of a database with its manifests, oldest first, in one pass over both listings: a page of each
 * folder is held, whatever their length.
 */
export async function* findOrphans(
  storage: Storage,
  database: string,
  { now, minAgeMs = DAY_MS, signal }: FindOrphansOptions,
): AsyncGenerator<Orphan> {
  const bodies = ascending(tiers.map((tier) => bodiesOf(storage, bodyFolder(database, tier), signal)))
  const manifests = manifestsOf(storage, catalogFolder(database), signal)
  try {
    let body = (await bodies.next()).value
    let manifest = (await manifests.next()).value
    while (body !== undefined || manifest !== undefined) {
      if (manifest === undefined || (body !== undefined && body.order < manifest.order)) {
        if (body === undefined) return
        const { id, created, object } = body
        if (now.getTime() - created.getTime() >= minAgeMs) {
          yield { kind: 'body-without-manifest', id, key: object.key, sizeBytes: object.sizeBytes }
        }
        body = (await bodies.next()).value
      } else if (body === undefined || manifest.order < body.order) {
        // Both may have come while this was looking: asked again before it is said.
        const prefix = `${bodyFolder(database, manifest.tier)}${stampText(manifest.created, manifest.id)}.`
        const { objects } = await storage.list({ prefix, limit: 1, signal })
        if (objects.length === 0) yield { kind: 'manifest-without-body', id: manifest.id, key: manifest.key }
        manifest = (await manifests.next()).value
      } else {
        const { key, sizeBytes } = body.object
        const expectedSizeBytes = manifest.storedSizeBytes
        if (sizeBytes !== expectedSizeBytes) {
          yield { kind: 'body-of-another-size', id: body.id, key, sizeBytes, expectedSizeBytes }
        }
        body = (await bodies.next()).value
        manifest = (await manifests.next()).value
      }
    }
  } finally {
    await Promise.all([bodies.return(undefined), manifests.return(undefined)])
  }
}

async function* bodiesOf(
  storage: Storage,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<BodyFound, undefined> {
  for await (const object of listAll(storage, { prefix, signal })) {
    const parts = parseBodyKey(object.key)
    if (parts !== undefined) yield { ...orderOf(parts), object }
  }
  return undefined
}

async function* manifestsOf(
  storage: Storage,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ManifestFound, undefined> {
  for await (const { key } of listAll(storage, { prefix, signal })) {
    const entry = parseCatalogKey(key)
    if (entry !== undefined) yield { ...entry, ...orderOf(entry) }
  }
  return undefined
}

/** The tier counts too: a manifest of one tier does not speak for the body in the folder of another. */
function orderOf({ id, created, tier }: Pick<BackupEntry, 'id' | 'created' | 'tier'>): Omit<BodyFound, 'object'> {
  return { id, created, order: `${created.toISOString()} ${id} ${tier}` }
}

/** Several ascending listings as one. */
async function* ascending(
  listings: readonly AsyncGenerator<BodyFound, undefined>[],
): AsyncGenerator<BodyFound, undefined> {
  try {
    const heads = await Promise.all(listings.map(async (listing) => ({ listing, found: (await listing.next()).value })))
    for (;;) {
      const waiting = heads.filter((head) => head.found !== undefined)
      const first = waiting.reduce<(typeof heads)[number] | undefined>(
        (best, head) => (best?.found === undefined || (head.found?.order ?? '') < best.found.order ? head : best),
        undefined,
      )
      if (first?.found === undefined) return undefined
      yield first.found
      first.found = (await first.listing.next()).value
    }
  } finally {
    await Promise.all(listings.map((listing) => listing.return(undefined)))
  }
}
