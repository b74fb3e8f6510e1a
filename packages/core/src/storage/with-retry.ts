import { randomUUID } from 'node:crypto'
import { BackupError, isBackupError } from '../errors.ts'
import { identityOf } from './identity-of.ts'
import { keepsFiles, localFilesOf } from './local-file.ts'
import { type Patience, patience, type RetryOptions } from './patience.ts'
import type { Body, GetOptions, GetResult, ObjectFacts, PutOptions, PutResult, Storage } from './storage.ts'

/** Tells our own conditional write from somebody else's when the answer to it was lost. */
const WRITE_ID = 'sqlite-backup-write-id'

/**
 * Tries again what fails with `UNAVAILABLE`, and nothing else. A read goes on where it broke off, of the same version of
 * the object. A conditional write whose answer was lost is recognised as ours.
 *
 * It bounds the number and the time of tries; how long one try may hang is the adapter's business.
 *
 * @example
 * const storage = withRetry(withPrefix(s3({ bucket: 'acme-backups' }), 'prod'))
 */
export function withRetry(storage: Storage, options: RetryOptions = {}): Storage {
  const begin = (doing: string, signal: AbortSignal | undefined): Patience =>
    patience(`${doing} in ${storage.name}`, options, signal)

  async function retry<T>(patient: Patience, run: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await run()
      } catch (error) {
        await patient.wait(error)
      }
    }
  }

  const retried: Storage = {
    ...identityOf(storage),

    async put(key, body, put = {}) {
      const patient = begin(`put ${key}`, put.signal)
      const watched = { ...put, onProgress: onlyForward(put.onProgress, patient) }
      if (!put.ifAbsent) return retry(patient, () => storage.put(key, body, watched))
      // A folder on this machine loses no answers, and keeps metadata at the price of a file.
      const writeId = storage.localDir === undefined ? randomUUID() : undefined
      return putOnce(key, body, tagged(watched, writeId), writeId, patient)
    },

    async get(key, get = {}) {
      const patient = begin(`get ${key}`, get.signal)
      const result = await retry(patient, () => storage.get(key, get))
      return { ...untagged(result), stream: resumed(key, get, result, patient) }
    },

    async head(key, call = {}) {
      return untagged(await retry(begin(`head ${key}`, call.signal), () => storage.head(key, call)))
    },

    list(list = {}) {
      return retry(begin(`list ${list.prefix ?? ''}`.trimEnd(), list.signal), () => storage.list(list))
    },

    delete(keys, call = {}) {
      return retry(begin(`delete ${keys.length} object${keys.length === 1 ? '' : 's'}`, call.signal), () =>
        storage.delete(keys, call),
      )
    },

    fencing(call = {}) {
      return retry(begin('probe conditional writes', call.signal), () => storage.fencing(call))
    },
  }
  return keepsFiles(retried, localFilesOf(storage))

  async function putOnce(
    key: string,
    body: Body,
    put: PutOptions,
    writeId: string | undefined,
    patient: Patience,
  ): Promise<PutResult> {
    let mayHaveLanded = false
    return retry(patient, async () => {
      try {
        return await storage.put(key, body, put)
      } catch (error) {
        if (mayHaveLanded && isBackupError(error, 'OBJECT_EXISTS')) {
          const ours = await findOwnWrite(key, body, put, writeId)
          if (ours !== undefined) return ours
        }
        mayHaveLanded ||= isBackupError(error, 'UNAVAILABLE')
        throw error
      }
    })
  }

  /** The object under `key` if it is the one an earlier try of ours wrote. */
  async function findOwnWrite(
    key: string,
    body: Body,
    { signal }: PutOptions,
    writeId: string | undefined,
  ): Promise<PutResult | undefined> {
    const facts = await storage.head(key, { signal })
    const foundId = facts.metadata[WRITE_ID]
    const isOurs = foundId === undefined ? await hasContent(key, body, facts, signal) : foundId === writeId
    return isOurs ? resultOf(facts) : undefined
  }

  /** For stores that drop metadata: whether the object's bytes are the body's. */
  async function hasContent(
    key: string,
    body: Body,
    facts: ObjectFacts,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (facts.sizeBytes !== (await body.size)) return false
    const { stream } = await storage.get(key, { signal, ...(facts.etag === undefined ? {} : { ifMatch: facts.etag }) })
    let at = 0
    for await (const chunk of stream) {
      const own: Uint8Array[] = []
      for await (const piece of body.stream({ start: at, end: at + chunk.byteLength })) own.push(piece)
      if (Buffer.compare(Buffer.concat(own), chunk) !== 0) return false
      at += chunk.byteLength
    }
    return at === facts.sizeBytes
  }

  async function* resumed(
    key: string,
    get: GetOptions,
    first: GetResult,
    patient: Patience,
  ): AsyncGenerator<Uint8Array, void, void> {
    let at = get.range?.start ?? 0
    const end = Math.min(get.range?.end ?? first.sizeBytes, first.sizeBytes)
    let { stream } = first
    for (;;) {
      try {
        for await (const chunk of stream) {
          at += chunk.byteLength
          patient.delivered()
          yield chunk
        }
        if (at >= end) return
        throw new BackupError('UNAVAILABLE', `${key} broke off at byte ${at} of ${end}.`)
      } catch (error) {
        // With all bytes handed out, what is wrong cannot be mended by reading on.
        if (at >= end) throw error
        await patient.wait(error)
      }
      stream = (await retry(patient, () => reopen(key, get, first, { start: at, end }))).stream
    }
  }

  async function reopen(
    key: string,
    get: GetOptions,
    first: GetResult,
    range: { readonly start: number; readonly end: number },
  ): Promise<GetResult> {
    const ifMatch = get.ifMatch ?? first.etag
    const result = await storage.get(key, { ...get, range, ...(ifMatch === undefined ? {} : { ifMatch }) })
    const isSame = result.sizeBytes === first.sizeBytes && result.modified?.getTime() === first.modified?.getTime()
    if (ifMatch !== undefined || isSame) return result
    throw new BackupError('OBJECT_CHANGED', `${key} was replaced while it was read.`)
  }
}

/** Progress counts for the deadline only where no earlier try has been. */
function onlyForward(onProgress: PutOptions['onProgress'], patient: Patience): (sentBytes: number) => void {
  let furthest = 0
  return (sentBytes) => {
    if (sentBytes > furthest) {
      furthest = sentBytes
      patient.moved()
    }
    onProgress?.(sentBytes)
  }
}

function tagged(put: PutOptions, writeId: string | undefined): PutOptions {
  return writeId === undefined ? put : { ...put, metadata: { ...put.metadata, [WRITE_ID]: writeId } }
}

function untagged<T extends ObjectFacts>(facts: T): T {
  const { [WRITE_ID]: _, ...metadata } = facts.metadata
  return { ...facts, metadata }
}

function resultOf({ sizeBytes, etag, encryption }: ObjectFacts): PutResult {
  return {
    sizeBytes,
    ...(etag === undefined ? {} : { etag }),
    ...(encryption === undefined ? {} : { encryption }),
  }
}
