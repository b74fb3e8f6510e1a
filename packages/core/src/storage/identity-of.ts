import type { Storage } from './storage.ts'

/** What a decorator passes on as it is: who the storage is, its start and its end. */
export function identityOf(storage: Storage): Pick<Storage, 'name' | 'kind' | 'localDir' | 'prepare' | 'close'> {
  const { name, kind, localDir } = storage
  return {
    name,
    kind,
    ...(localDir === undefined ? {} : { localDir }),
    ...(storage.prepare === undefined ? {} : { prepare: async () => storage.prepare?.() }),
    ...(storage.close === undefined ? {} : { close: async () => storage.close?.() }),
  }
}
