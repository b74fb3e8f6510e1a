import type { Storage } from './storage.ts'

/** What a decorator passes on as it is: who the storage is, and its end. */
export function identityOf(storage: Storage): Pick<Storage, 'name' | 'kind' | 'localDir' | 'close'> {
  const { name, kind, localDir } = storage
  return {
    name,
    kind,
    ...(localDir === undefined ? {} : { localDir }),
    ...(storage.close === undefined ? {} : { close: async () => storage.close?.() }),
  }
}
