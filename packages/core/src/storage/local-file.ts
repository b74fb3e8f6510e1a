import type { Storage } from './storage.ts'

type PathOf = (key: string) => string

/**
 * Kept beside the storages, not in them: what somebody wraps around `get` (a limit, a fault, a cipher) is a storage of
 * its own that is not in here, so it is never gone round.
 */
const paths = new WeakMap<Storage, PathOf>()

/** Notes that the objects of this storage are files on this machine, byte by byte, and where. */
export function keepsFiles(storage: Storage, pathOf: PathOf | undefined): Storage {
  if (pathOf !== undefined) paths.set(storage, pathOf)
  return storage
}

/** Where the objects lie on this machine, when reading one takes no more than opening that file. */
export function localFilesOf(storage: Storage): PathOf | undefined {
  return paths.get(storage)
}
