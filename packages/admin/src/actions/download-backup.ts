import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type AdminContext, storagesOf } from '../admin-context.ts'
import { claimTicket, findTicket, forgetTickets, putTicket, type TicketPlace, ticketId } from '../tickets.ts'
import { AdminError } from '../web/admin-error.ts'
import { databaseOf, type Exchange } from '../web/exchange.ts'
import { openScratch } from './open-scratch.ts'
import { showBackup } from './show-backup.ts'

/** What a link gives, once. */
interface DownloadTicket {
  readonly format: 1
  readonly database: string
  /** `stored`: the bytes as the storage has them. `database`: an SQLite file. `live`: backed up now, then an SQLite file. */
  readonly form: 'stored' | 'database' | 'live'
  readonly backup?: string
  readonly storage?: string
  readonly actor: string
  readonly expiresAt: string
}

export interface DownloadLink {
  /** Part of the address: whoever has it and may download can use it once. */
  readonly token: string
  readonly expiresAt: string
}

const linkMs = 2 * 60_000

function placeOf(admin: AdminContext, database: string): TicketPlace {
  return { storages: storagesOf(admin), database, kind: 'links' }
}

/** A link to one backup, or to the database as it is now. */
export async function makeDownloadLink(exchange: Exchange): Promise<DownloadLink> {
  const { admin, access, input, params } = exchange
  const database = databaseOf(exchange)
  const form = params.id === undefined ? 'live' : (input.form ?? 'database')
  if (form !== 'stored' && form !== 'database' && form !== 'live') {
    throw new AdminError(400, 'FORM_INVALID', 'Download it as "database" or as "stored".')
  }
  const found = form === 'live' ? undefined : await showBackup(exchange)
  const at = admin.now()
  const token = ticketId(at, 32)
  const actor = access.actor.id
  const value: DownloadTicket = {
    format: 1,
    database,
    form,
    ...(found === undefined ? {} : { backup: found.manifest.id, storage: found.storage }),
    actor,
    expiresAt: new Date(at.getTime() + linkMs).toISOString(),
  }
  const place = placeOf(admin, database)
  await forgetTickets(place, new Date(at.getTime() - 60 * 60_000))
  await admin.audit.append(database, {
    actor,
    action: 'download.requested',
    ...(found === undefined ? {} : { backup: found.manifest.id }),
    detail: { form },
  })
  await putTicket(place, hiddenId(token), value)
  return { token, expiresAt: value.expiresAt }
}

/** The storage never holds the token itself: who can list the bucket cannot use the link. */
function hiddenId(token: string): string {
  const [stamp = ''] = token.split('-')
  return `${stamp}-${createHash('sha256').update(token).digest('hex')}`
}

/**
 * Uses a link: the bytes, once.
 * @throws AdminError `LINK_UNKNOWN`, `LINK_EXPIRED`, `LINK_USED`
 */
export async function useDownloadLink(exchange: Exchange): Promise<Response> {
  const { admin, access, params } = exchange
  const database = databaseOf(exchange)
  const { token = '' } = params
  const place = placeOf(admin, database)
  const ticket = await findTicket(place, /^\d{8}T\d{6}Z-[0-9a-f]{64}$/.test(token) ? hiddenId(token) : '', parseTicket)
  const actor = access.actor.id
  if (ticket === undefined || ticket.value.actor !== actor) {
    throw new AdminError(404, 'LINK_UNKNOWN', 'There is no such link.', { hint: 'Make a new one.' })
  }
  const { value } = ticket
  // What is no time is over, too.
  if (!(Date.parse(value.expiresAt) > admin.now().getTime())) {
    throw new AdminError(410, 'LINK_EXPIRED', 'The link was good for two minutes, and they are over.', {
      hint: 'Make a new one.',
    })
  }
  // HEAD would use it up and give nothing.
  if (exchange.request.method === 'HEAD') return new Response(null, { status: 204 })
  if (!(await claimTicket(place, ticket, { at: admin.now().toISOString(), actor, outcome: 'used' }))) {
    throw new AdminError(410, 'LINK_USED', 'The link has been used: it is good for one download.', {
      hint: 'Make a new one.',
    })
  }
  await admin.audit.append(database, {
    actor,
    action: 'download.started',
    ...(value.backup === undefined ? {} : { backup: value.backup }),
    detail: { form: value.form },
  })
  if (value.form === 'stored' && value.backup !== undefined)
    return storedBytes(admin, value.backup, value, exchange.request.signal)
  const made = value.backup ?? (await admin.engine.backup(database, { trigger: 'manual', actor, name: 'download' })).id
  return databaseFile(admin, made, value, exchange.request.signal)
}

async function storedBytes(
  { engine }: AdminContext,
  backup: string,
  { database, storage }: DownloadTicket,
  signal: AbortSignal,
): Promise<Response> {
  const { manifest, storage: name } = await engine.show(backup, {
    database,
    ...(storage === undefined ? {} : { from: storage }),
  })
  const { stream, sizeBytes } = await engine.storage(name).get(manifest.body, { signal })
  const file = `${database}-${basename(manifest.body)}`
  return attachment(toWebStream(stream), file, sizeBytes)
}

/** Restored beside the database, where a file of its size has a place, sent, and deleted. */
async function databaseFile(
  { engine }: AdminContext,
  backup: string,
  { database, storage }: DownloadTicket,
  signal: AbortSignal,
): Promise<Response> {
  const source = { database, ...(storage === undefined ? {} : { from: storage }) }
  const { target } = await engine.planRestore(backup, source)
  const { dir, remove } = await openScratch(dirname(target))
  try {
    const output = join(dir, 'download.db')
    await engine.restore(backup, { ...source, output, acceptOtherEnvironment: true, signal })
    const file = await open(output)
    const { size } = await file.stat()
    // An open file can be read without a name: whatever happens now, nothing is left behind.
    await remove()
    return attachment(toWebStream(file.createReadStream()), `${database}-${backup}.db`, size)
  } catch (error) {
    await remove()
    throw error
  }
}

function attachment(body: ReadableStream<Uint8Array>, file: string, sizeBytes: number): Response {
  // Quotes, control characters and what is not ASCII have no place in a quoted file name.
  const plain = file.replaceAll(/[^A-Za-z0-9._-]/g, '_')
  return new Response(body, {
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(sizeBytes),
      'content-disposition': `attachment; filename="${plain}"; filename*=UTF-8''${encodeURIComponent(file)}`,
    },
  })
}

/** Read as it is sent: a slow download holds one chunk, and a reader that leaves ends it. */
function toWebStream(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next()
        if (done) controller.close()
        else controller.enqueue(new Uint8Array(value))
      },
      async cancel() {
        await iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

function parseTicket(value: unknown): DownloadTicket | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { format, database, form, actor, expiresAt } = value as Partial<DownloadTicket>
  const texts = [database, form, actor, expiresAt]
  return format === 1 && texts.every((text) => typeof text === 'string') ? (value as DownloadTicket) : undefined
}
