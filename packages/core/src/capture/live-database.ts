import { closeSync, fstatSync, openSync, readSync, realpathSync, type Stats, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { BackupError } from '../errors.ts'
import { fileError } from './file-error.ts'

/**
 * The files of one database, opened in this process under SQLite's rule for POSIX locks: closing *any* descriptor of a
 * file drops *all* locks this process holds on it (https://sqlite.org/howtocorrupt.html, 2.2). So the database and its
 * `-shm` are opened once per inode and closed only after the last SQLite connection to that inode. All code in this
 * process must reach a live database through {@link attachLive}: both by descriptor and by `connect`.
 */
export interface LiveDatabase {
  /** As asked for. */
  readonly path: string
  /** With symbolic links followed, as SQLite does: `-wal` and `-shm` lie beside this one. */
  readonly realPath: string
  readonly device: number
  readonly inode: number
  readonly fd: number
  /** Bytes read at `position` of the database file; fewer at its end. */
  readAt(target: Buffer, position: number): number
  /** The descriptor of `-shm`, opened on first use; undefined when there is no such file. */
  shmFd(): number | undefined
  /** A connection of ours: never checkpoints by itself, never creates the file, never waits. */
  connect(options?: ConnectOptions): DatabaseSync
  /** @throws BackupError `DATABASE_REPLACED` when the path now leads to another file. */
  checkSame(): void
  /** Closes the connections made here and, when nobody else in this process uses the files, their descriptors. */
  detach(): void
}

export interface ConnectOptions {
  /** `ro` never writes, not even to roll back a crashed writer's journal. @default 'rw' */
  readonly mode?: 'rw' | 'ro'
}

interface Group {
  readonly fd: number
  /** Every descriptor to close when the last user has left, the first first. */
  readonly fds: number[]
  shm: { readonly fd: number; readonly inode: number } | undefined
  users: number
}

const groups = new Map<string, Group>()

/** @throws BackupError `DATABASE_MISSING`, `DATABASE_INVALID` (not a file), `DATABASE_UNREADABLE`, `DATABASE_REPLACED` */
export function attachLive(path: string): LiveDatabase {
  const { realPath, device, inode, group } = openGroup(path)
  const connections: DatabaseSync[] = []
  group.users += 1
  let isAttached = true

  const live: LiveDatabase = {
    path,
    realPath,
    device,
    inode,
    fd: group.fd,
    readAt: (target, position) => readFully(group.fd, target, position),
    shmFd() {
      const stats = statSync(`${realPath}-shm`, { throwIfNoEntry: false })
      if (stats === undefined) return undefined
      if (group.shm?.inode === stats.ino) return group.shm.fd
      const fd = openSync(`${realPath}-shm`, 'r')
      group.fds.push(fd)
      group.shm = { fd, inode: fstatSync(fd).ino }
      return fd
    },
    connect({ mode = 'rw' } = {}) {
      live.checkSame()
      const url = pathToFileURL(realPath)
      url.searchParams.set('mode', mode)
      const connection = new DatabaseSync(url, { timeout: 0, readOnly: mode === 'ro' })
      connections.push(connection)
      // A checkpoint of ours would do the app's fsyncs at a time the app did not choose.
      connection.exec('PRAGMA wal_autocheckpoint = 0; PRAGMA query_only = 1')
      live.checkSame()
      return connection
    },
    checkSame() {
      const stats = statSync(path, { throwIfNoEntry: false })
      if (stats?.dev === device && stats.ino === inode) return
      throw new BackupError(
        'DATABASE_REPLACED',
        `${path} ${stats === undefined ? 'was removed' : 'became another file'} while it was being read.`,
        { hint: 'Something moved or replaced the database file. Nothing was kept; the next run reads the new file.' },
      )
    },
    detach() {
      if (!isAttached) return
      isAttached = false
      for (const connection of connections) if (connection.isOpen) connection.close()
      group.users -= 1
      if (group.users > 0) return
      groups.delete(`${device}:${inode}`)
      for (const fd of group.fds) closeSync(fd)
    },
  }
  return live
}

function openGroup(path: string): { realPath: string; device: number; inode: number; group: Group } {
  for (let attempt = 0; attempt < 10; attempt++) {
    const { realPath, stats } = locate(path)
    const known = groups.get(`${stats.dev}:${stats.ino}`)
    if (known !== undefined) return { realPath, device: stats.dev, inode: stats.ino, group: known }
    const fd = open(realPath, path)
    const { dev, ino } = fstatSync(fd)
    const key = `${dev}:${ino}`
    const group = groups.get(key)
    if (group !== undefined) {
      // The file was swapped between stat and open, for one we already have open: this descriptor must not be closed.
      group.fds.push(fd)
      continue
    }
    const created: Group = { fd, fds: [fd], shm: undefined, users: 0 }
    groups.set(key, created)
    return { realPath, device: dev, inode: ino, group: created }
  }
  throw new BackupError('DATABASE_REPLACED', `${path} is replaced again and again.`)
}

function locate(path: string): { realPath: string; stats: Stats } {
  let realPath: string
  let stats: Stats
  try {
    realPath = realpathSync(path)
    stats = statSync(realPath)
  } catch (error) {
    throw fileError(error, path)
  }
  if (!stats.isFile()) {
    throw new BackupError('DATABASE_INVALID', `${path} is not a file.`, { hint: 'Name the database file itself.' })
  }
  return { realPath, stats }
}

function open(realPath: string, path: string): number {
  try {
    return openSync(realPath, 'r')
  } catch (error) {
    throw fileError(error, path)
  }
}

/** Reads until `target` is full or the file ends. */
export function readFully(fd: number, target: Buffer, position: number): number {
  let filled = 0
  while (filled < target.length) {
    const count = readSync(fd, target, filled, target.length - filled, position + filled)
    if (count === 0) break
    filled += count
  }
  return filled
}
