import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { BackupEntry } from '../../catalog/keys.ts'
import { listBackups } from '../../catalog/list-backups.ts'
import { filesystem } from '../../storage/filesystem.ts'
import { type AppProcess, killTree, startProcess } from './app-process.ts'
import { plainApp } from './plain-app.ts'

/** A machine with a disk of its own, and a storage that others may share. */
export interface Machine {
  readonly dir: string
  readonly database: string
  readonly storage: string
  /** Starts the app and waits until it listens. */
  start(env?: Readonly<Record<string, string>>): Promise<RunningApp>
  /** Starts the app, which is not expected to get that far. */
  launch(env?: Readonly<Record<string, string>>): AppProcess
  /** What the database on the disk says. */
  rows(): readonly unknown[]
  backups(): Promise<readonly BackupEntry[]>
}

export interface RunningApp extends AppProcess {
  readonly url: string
  add(label: string): Promise<void>
  rows(): Promise<readonly string[]>
  /** Sends a signal and waits for the end; SIGKILL to all that it started, too. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals>
}

export interface MachineOptions {
  readonly root: string
  readonly name: string
  /** The name of the storage, when machines share one. @default one of its own */
  readonly storage?: string
  /** The command line that starts the app. */
  readonly command: (app: string) => readonly string[]
  /** Another app than the plain one. */
  readonly app?: { readonly file: string; readonly source: string }
}

const coreEntry = import.meta.url.endsWith('.ts')
  ? new URL('../../index.ts', import.meta.url)
  : new URL('./index.js', import.meta.url)

/** For tests: `FAULT` in the environment makes its storage fail, or hang and not listen to any signal. */
const config = (storage: string): string => `
import { BackupError, filesystem } from ${JSON.stringify(coreEntry.href)}
const disk = filesystem({ dir: ${JSON.stringify(storage)} })
const [fault = '', operations = 'put get head list delete'] = (process.env.FAULT ?? '').split(':')
const fail = (operation) => async () => {
  if (fault === 'hang') await new Promise(() => {})
  if (fault === 'slow') { await new Promise((resolve) => setTimeout(resolve, 100)); return undefined }
  throw new BackupError(fault, 'The storage says ' + fault + ' to ' + operation + '.')
}
const faults = fault === '' ? {} : Object.fromEntries(operations.split(' ').map((operation) => [
  operation,
  async (...args) => { await fail(operation)(); return disk[operation](...args) },
]))
export default {
  databases: { app: './data/app.db' },
  storages: process.env.NO_STORAGE ? {} : { store: { ...disk, ...faults } },
}
`

export function createMachine(options: MachineOptions): Machine {
  const { root, name, storage = name, command, app = { file: 'app.js', source: plainApp } } = options
  const dir = join(root, name)
  const database = join(dir, 'data', 'app.db')
  const storageDir = join(root, `${storage}-storage`)
  mkdirSync(dir)
  mkdirSync(storageDir, { recursive: true })
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(dir, app.file), app.source)
  writeFileSync(join(dir, 'sqlite-backup.config.mjs'), config(storageDir))
  // Without a schedule, unless a test asks for one: soon after its start it would make the first backup.
  const own = { PATH: process.env.PATH, HOME: dir, NODE_NO_WARNINGS: '1', NODE_ENV: 'test' }
  const env = { ...own, SQLITE_BACKUP_SCHEDULE: 'off' }
  const launch = (more: Readonly<Record<string, string>> = {}): AppProcess =>
    startProcess(command(join(dir, app.file)), { cwd: dir, env: { ...env, ...more } })
  return {
    dir,
    database,
    storage: storageDir,
    launch,
    async start(more) {
      const app = launch(more)
      const [, port] = await app.waitFor(/^listening (\d+)$/m)
      const url = `http://127.0.0.1:${port}`
      const call = async (path: string, method = 'GET'): Promise<Response> => {
        const response = await fetch(url + path, { method, headers: { connection: 'close' } })
        if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
        return response
      }
      return {
        ...app,
        url,
        async add(label) {
          await (await call(`/add?label=${label}`, 'POST')).text()
        },
        rows: async () => (await (await call('/rows')).json()) as string[],
        stop(signal = 'SIGTERM') {
          if (signal === 'SIGKILL') killTree(app.child)
          else app.child.kill(signal)
          return app.ended
        },
      }
    },
    rows() {
      const db = new DatabaseSync(database, { readOnly: true })
      try {
        return db
          .prepare('SELECT label FROM t ORDER BY rowid')
          .all()
          .map(({ label }) => label)
      } finally {
        db.close()
      }
    },
    async backups() {
      const found: BackupEntry[] = []
      for await (const entry of listBackups(filesystem({ dir: storageDir }), { database: 'app' })) found.push(entry)
      return found
    },
  }
}
