import { BackupError, type ErrorCode, isBackupError, messageOf } from '../errors.ts'

/** What went wrong in the file system, in the storage seam's words. */
export function filesystemError(error: unknown, operation: string, dir: string): BackupError {
  if (isBackupError(error)) return error
  const [code, hint] = meaningOf(errnoOf(error), dir)
  return new BackupError(code, `Cannot ${operation} in ${dir}: ${messageOf(error)}.`, {
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  })
}

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** True when the path, or a folder on the way to it, is not there. */
export function isMissing(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno === 'ENOENT' || errno === 'ENOTDIR'
}

function meaningOf(errno: string | undefined, dir: string): readonly [ErrorCode, string?] {
  switch (errno) {
    case 'ENOSPC':
    case 'EDQUOT':
      return ['STORAGE_FULL', 'Make room on the volume, or let retention delete sooner.']
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return ['STORAGE_DENIED', `Let user ${process.getuid?.() ?? 'of this process'} read and write ${dir}.`]
    case 'ENAMETOOLONG':
      return ['KEY_INVALID', 'The file system takes no longer names.']
    // What a network mount says while its server is away, and a busy machine when it is out of handles.
    case 'EAGAIN':
    case 'EBUSY':
    case 'EHOSTDOWN':
    case 'EHOSTUNREACH':
    case 'EINTR':
    case 'EIO':
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOTCONN':
    case 'ESTALE':
    case 'ETIMEDOUT':
      return ['UNAVAILABLE']
    case 'EXDEV':
      return ['STORAGE_FAILED', 'All folders of a storage have to be on one volume.']
    case 'ENXIO':
    case 'ENODEV':
      return ['STORAGE_MISSING', 'Is the volume mounted?']
    default:
      return ['STORAGE_FAILED']
  }
}
