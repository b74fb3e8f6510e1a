import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { openBackup, type SqliteBackup, type Storage } from '@sqlite-backup/core'
import { memory } from '@sqlite-backup/core/testing'
import { onTestFinished } from 'vitest'
import type { Grant } from '../authorize.ts'
import type { AdminOptions } from '../create-admin.ts'
import type { Job } from '../jobs.ts'
import type { AdminHost, MountOptions, RunningHost, SuiteInput } from './admin-suite.ts'

/** A live database, an engine over it, and people with permissions. */
export interface Shop {
  readonly dir: string
  readonly path: string
  readonly db: DatabaseSync
  readonly engine: SqliteBackup
  readonly disk: Storage
  addOrders(count: number): void
  countOrders(): number
}

export async function openShop(storages?: Readonly<Record<string, Storage>>): Promise<Shop> {
  const dir = mkdtempSync(join(tmpdir(), 'admin-shop-'))
  const path = join(dir, 'shop.db')
  const db = new DatabaseSync(path)
  db.exec('PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY, text TEXT)')
  const disk = memory()
  const engine = await openBackup({ databases: { shop: path }, storages: storages ?? { disk }, jobs: false })
  onTestFinished(async () => {
    await engine.close()
    if (db.isOpen) db.close()
    rmSync(dir, { recursive: true, force: true })
  })
  return {
    dir,
    path,
    db,
    engine,
    disk,
    addOrders(count) {
      const insert = db.prepare('INSERT INTO orders (text) VALUES (?)')
      for (let i = 0; i < count; i++) insert.run(`order ${i}`)
    },
    countOrders: () => Number(db.prepare('SELECT count(*) AS n FROM orders').get()?.n),
  }
}

/** Who is behind the `x-user` header: people of these tests, by what they may do. */
export const people: Readonly<Record<string, Grant>> = {
  ann: { actor: { id: 'ann', name: 'Ann' }, permissions: 'all' },
  bob: { actor: { id: 'bob' }, permissions: 'all' },
  'Bob ': { actor: { id: 'BOB ' }, permissions: 'all' },
  viewer: { actor: { id: 'viewer' }, permissions: ['view'] },
  asker: { actor: { id: 'asker' }, permissions: ['view', 'restore:request'] },
  approver: { actor: { id: 'approver' }, permissions: ['view', 'restore:approve'] },
  nothing: { actor: { id: 'nothing' }, permissions: [] },
}

export function authorize({ headers }: SuiteInput): Grant | null {
  return people[String(headers['x-user'])] ?? null
}

export interface Visit {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
  readonly bytes: Buffer
  json<T>(): T
}

export interface VisitOptions {
  readonly method?: string
  /** @default 'ann' */
  readonly user?: string | null
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as a form, from a page of this very origin. */
  readonly form?: Readonly<Record<string, string>>
  /** Sent as JSON by a program. */
  readonly json?: unknown
  readonly body?: string
}

export interface Site extends RunningHost {
  /** Asks for a path below the admin; `!` before it: of the whole server. */
  visit(path: string, options?: VisitOptions): Promise<Visit>
  /** Waits for a job to end. */
  ended(jobId: string): Promise<Job>
}

export async function openSite(
  host: AdminHost,
  admin: AdminOptions<SuiteInput>,
  options: Partial<Omit<MountOptions, 'admin'>> = {},
): Promise<Site> {
  const running = await host.start({ mount: 'default', ...options, admin: { authorize, ...admin } })
  onTestFinished(() => running.close())
  const visit: Site['visit'] = (path, visitOptions = {}) => send(running, path, visitOptions)
  return {
    ...running,
    visit,
    async ended(jobId) {
      for (;;) {
        const { job } = (await visit(`/api/jobs/${jobId}`)).json<{ job: Job }>()
        if (job.state !== 'running') return job
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    },
  }
}

/** Node's own client: unlike fetch it sends the headers it is given, `Origin` and `Sec-Fetch-Site` among them. */
function send({ origin, path }: RunningHost, below: string, options: VisitOptions): Promise<Visit> {
  const { user = 'ann', form, json, headers = {} } = options
  const body =
    options.body ??
    (form ? new URLSearchParams(form).toString() : json === undefined ? undefined : JSON.stringify(json))
  const url = new URL(origin)
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        host: url.hostname,
        port: url.port,
        path: below.startsWith('!') ? below.slice(1) : `${path}${below}`,
        method: options.method ?? (body === undefined ? 'GET' : 'POST'),
        agent: false,
        headers: {
          ...(user === null ? {} : { 'x-user': user }),
          ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded', origin }),
          ...(json === undefined ? {} : { 'content-type': 'application/json', 'x-requested-by': 'test' }),
          ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const bytes = Buffer.concat(chunks)
          const text = bytes.toString('utf8')
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            bytes,
            json: <T>() => JSON.parse(text) as T,
          })
        })
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}
