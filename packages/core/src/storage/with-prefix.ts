import { join } from 'node:path'
import { identityOf } from './identity-of.ts'
import { assertKey, assertPrefix } from './key.ts'
import { keepsFiles, localFilesOf } from './local-file.ts'
import type { Storage } from './storage.ts'

/**
 * The part of a storage under `prefix/`, as a storage of its own. `app` and `app2` never see each other.
 *
 * @throws BackupError `KEY_INVALID` when the prefix could not be a key
 * @example
 * const production = withPrefix(storage, 'prod')
 */
export function withPrefix(storage: Storage, prefix: string): Storage {
  const root = prefix.replace(/\/+$/, '')
  assertKey(root)
  const folder = `${root}/`
  const identity = identityOf(storage)
  const inner = (key: string): string => {
    // Before the prefix: `../x` must not be cured by what stands in front of it.
    assertKey(key)
    return folder + key
  }
  const outer = (key: string): string => key.slice(folder.length)

  const pathOf = localFilesOf(storage)
  const part: Storage = {
    ...identity,
    name: `${storage.name}/${root}`,
    ...(identity.localDir === undefined ? {} : { localDir: join(identity.localDir, root) }),
    put: async (key, body, options) => storage.put(inner(key), body, options),
    get: async (key, options) => storage.get(inner(key), options),
    head: async (key, options) => storage.head(inner(key), options),

    async list(options = {}) {
      const { prefix: asked = '', after } = options
      assertPrefix(asked)
      const page = await storage.list({
        ...options,
        prefix: folder + asked,
        ...(after === undefined ? {} : { after: folder + after }),
      })
      return {
        ...page,
        objects: page.objects.map((object) => ({ ...object, key: outer(object.key) })),
        prefixes: page.prefixes.map(outer),
      }
    },

    delete: async (keys, options) => storage.delete(keys.map(inner), options),
    fencing: (options) => storage.fencing(options),
  }
  return keepsFiles(part, pathOf && ((key) => pathOf(inner(key))))
}
