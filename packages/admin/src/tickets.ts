import { randomBytes } from 'node:crypto'
import { bytesBody, databaseFolder, inFirstStorage, isBackupError, listAll, readObject } from '@sqlite-backup/core'
import type { NamedStorage } from './admin-context.ts'
import { askStorages } from './ask-storages.ts'

/** A small fact that can be used once, kept in a storage: it survives restarts, and every worker sees it. */
export interface Ticket<T> {
  readonly id: string
  readonly storage: string
  readonly value: T
}

export interface Claim {
  /** ISO 8601, UTC. */
  readonly at: string
  readonly actor: string
  readonly outcome: string
}

/** Where tickets of one kind are: `<db>/<kind>/<id>.json`, and `<id>.used.json` beside it once one is used. */
export interface TicketPlace {
  readonly storages: readonly NamedStorage[]
  readonly database: string
  readonly kind: 'approvals' | 'links'
}

const idPattern = /^\d{8}T\d{6}Z-[0-9a-f]{16,64}$/

/** An id that sorts by time. `secret` ends nobody can guess. */
export function ticketId(at: Date, randomByteCount: number): string {
  return `${stampOf(at)}-${randomBytes(randomByteCount).toString('hex')}`
}

export function stampOf(at: Date): string {
  return `${at.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
}

export function isTicketId(text: string): boolean {
  return idPattern.test(text)
}

/** Keeps a new ticket in the first storage that takes it. */
export async function putTicket<T>(place: TicketPlace, id: string, value: T): Promise<Ticket<T>> {
  return inFirstStorage(place.storages, 'keep the request', async ({ name, storage }) => {
    await storage.put(keyOf(place, id), jsonBody(value), { ifAbsent: true, contentType: 'application/json' })
    return { id, storage: name, value }
  })
}

/** The ticket, wherever it is kept; undefined when there is none. */
export async function findTicket<T>(
  place: TicketPlace,
  id: string,
  parse: (value: unknown) => T | undefined,
): Promise<Ticket<T> | undefined> {
  if (!isTicketId(id)) return undefined
  const found = await askStorages(place.storages, async ({ name, storage }) => {
    const value = parse(await readJson(storage, keyOf(place, id)))
    return value === undefined ? undefined : { id, storage: name, value }
  })
  return found.find((ticket) => ticket !== undefined)
}

/** Tickets made at or after `since` in all storages, oldest first, with what became of each. */
export async function listTickets<T>(
  place: TicketPlace,
  since: Date,
  parse: (value: unknown) => T | undefined,
  /** Hears of what else is there. */
  onOther: (storage: string, name: string) => void = () => undefined,
): Promise<readonly (Ticket<T> & { readonly claim?: Claim })[]> {
  const prefix = folderOf(place)
  const found = await askStorages(place.storages, async ({ name, storage }) => {
    const keys: string[] = []
    for await (const { key } of listAll(storage, { prefix, after: `${prefix}${stampOf(since)}` })) keys.push(key)
    return Promise.all(
      keys
        .filter((key) => !key.endsWith('.used.json'))
        .map(async (key) => {
          const id = key.slice(prefix.length, -'.json'.length)
          if (!isTicketId(id)) onOther(name, key.slice(prefix.length))
          const value = isTicketId(id) ? parse(await readJson(storage, key)) : undefined
          if (value === undefined) return undefined
          const claim = keys.includes(usedKeyOf(place, id))
            ? parseClaim(await readJson(storage, usedKeyOf(place, id)))
            : undefined
          return { id, storage: name, value, ...(claim === undefined ? {} : { claim }) }
        }),
    )
  })
  return found
    .flat()
    .filter((ticket) => ticket !== undefined)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
}

/**
 * Uses a ticket up. False when somebody was first: of any number of workers and people, one gets true.
 * A storage without conditional writes is asked again who it was.
 */
export async function claimTicket(place: TicketPlace, ticket: Ticket<unknown>, claim: Claim): Promise<boolean> {
  const storage = place.storages.find(({ name }) => name === ticket.storage)?.storage
  if (storage === undefined) return false
  const key = usedKeyOf(place, ticket.id)
  const nonce = randomBytes(12).toString('hex')
  try {
    await storage.put(key, jsonBody({ ...claim, nonce }), { ifAbsent: true, contentType: 'application/json' })
  } catch (error) {
    if (isBackupError(error, 'OBJECT_EXISTS')) return false
    throw error
  }
  const kept = await readJson(storage, key)
  return typeof kept === 'object' && kept !== null && 'nonce' in kept && kept.nonce === nonce
}

/**
 * Forgets tickets made before `until`, a page at most. What is left, like in a storage that does not answer now, goes with
 * the next call.
 */
export async function forgetTickets(place: TicketPlace, until: Date): Promise<void> {
  const prefix = folderOf(place)
  await Promise.allSettled(
    place.storages.map(async ({ storage }) => {
      const { objects } = await storage.list({ prefix })
      const old = objects.map(({ key }) => key).filter((key) => key < `${prefix}${stampOf(until)}`)
      if (old.length > 0) await storage.delete(old)
    }),
  )
}

function folderOf({ database, kind }: TicketPlace): string {
  return `${databaseFolder(database)}${kind}/`
}

function keyOf(place: TicketPlace, id: string): string {
  return `${folderOf(place)}${id}.json`
}

function usedKeyOf(place: TicketPlace, id: string): string {
  return `${folderOf(place)}${id}.used.json`
}

function jsonBody(value: unknown): ReturnType<typeof bytesBody> {
  return bytesBody(Buffer.from(`${JSON.stringify(value, null, 2)}\n`))
}

async function readJson(storage: NamedStorage['storage'], key: string): Promise<unknown> {
  try {
    return JSON.parse(Buffer.from(await readObject(storage, key, { maxBytes: 64 * 1024 })).toString('utf8'))
  } catch (error) {
    // Missing, or no JSON of ours: there is no such ticket. Anything else is the storage's trouble.
    if (isBackupError(error, 'OBJECT_MISSING') || error instanceof SyntaxError) return undefined
    throw error
  }
}

function parseClaim(value: unknown): Claim | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { at, actor, outcome } = value as Record<string, unknown>
  if (typeof at !== 'string' || typeof actor !== 'string' || typeof outcome !== 'string') return undefined
  return { at, actor, outcome }
}
