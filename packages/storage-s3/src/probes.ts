import { randomUUID } from 'node:crypto'
import { BackupError, isBackupError, messageOf } from '@sqlite-backup/core'
import { rawHead } from './head-object.ts'
import { fullKey, type S3Context } from './s3-context.ts'
import { objectParameters } from './s3-options.ts'

export type Fencing = 'conditional-put' | 'none'

/** What a store can do, found out on first use: the same name stands for stores of many versions and settings. */
export interface Probes {
  /** Whether a conditional put is honoured. */
  fencing(signal: AbortSignal | undefined): Promise<Fencing>
  /** @throws BackupError `STORAGE_UNSUPPORTED` when encryption is required and the store does not say that it encrypts. */
  requireEncryption(signal: AbortSignal | undefined): Promise<void>
  /** Says that the store did not do as asked, once. */
  warnOnce(about: 'encryption' | 'storageClass'): void
}

export function createProbes(context: S3Context): Probes {
  const { name, settings } = context
  const warned = new Set<string>()
  let fencing: Fencing | undefined
  let isEncrypting = settings.sse?.require !== true

  const warnings = {
    encryption: `${name}: encryption was asked for, but the storage does not say that it encrypts. Set \`sse: { require: true }\` to refuse such a storage.`,
    storageClass: `${name}: the storage did not use the storage class ${settings.storageClass}.`,
  }

  return {
    async fencing(signal) {
      fencing ??= await withScratchKey(context, signal, (key) => probeFencing(context, key, signal))
      return fencing
    },
    async requireEncryption(signal) {
      if (isEncrypting) return
      const encryption = await withScratchKey(context, signal, async (key) => {
        await putScratch(context, key, signal, false)
        return (await rawHead(context, key, 'put', { signal })).ServerSideEncryption
      })
      if (encryption === undefined) {
        throw new BackupError(
          'STORAGE_UNSUPPORTED',
          `${name}: the storage does not say that it encrypts what it stores.`,
          {
            hint: 'Use a storage that does, or leave out `sse.require` and encrypt with age.',
          },
        )
      }
      isEncrypting = true
    },
    warnOnce(about) {
      if (warned.has(about)) return
      warned.add(about)
      settings.onWarning(warnings[about])
    },
  }
}

/** Two conditional puts of one new key: exactly the second must be refused. */
async function probeFencing(context: S3Context, key: string, signal: AbortSignal | undefined): Promise<Fencing> {
  for (const expected of ['stored', 'refused']) {
    try {
      await putScratch(context, key, signal, true)
      if (expected === 'refused') return 'none'
    } catch (error) {
      if (isBackupError(error, 'OBJECT_EXISTS')) return expected === 'refused' ? 'conditional-put' : 'none'
      // 501 and 400: the store has no conditional put, and says so.
      const isRefusal = isBackupError(error) && /HTTP 400/.test(messageOf(error.cause))
      if (isBackupError(error, 'STORAGE_UNSUPPORTED') || isRefusal) return 'none'
      throw error
    }
  }
  return 'none'
}

async function putScratch(
  context: S3Context,
  key: string,
  signal: AbortSignal | undefined,
  isConditional: boolean,
): Promise<void> {
  const facts = { operation: 'put', key, signal, onPrecondition: 'OBJECT_EXISTS' } as const
  await context.connection.call(facts, ({ client, sdk, http }) =>
    client.send(
      new sdk.PutObjectCommand({
        Bucket: context.settings.bucket,
        Key: fullKey(context, key),
        Body: Buffer.from('sqlite-backup tries what this storage can do; this object may be deleted.\n'),
        ...objectParameters(context.settings),
        ...(isConditional && { IfNoneMatch: '*' }),
      }),
      http,
    ),
  )
}

async function withScratchKey<T>(
  context: S3Context,
  signal: AbortSignal | undefined,
  run: (key: string) => Promise<T>,
): Promise<T> {
  const key = `.sqlite-backup-probe-${randomUUID()}`
  const result = await run(key)
  try {
    await context.connection.call({ operation: 'delete', key, signal }, ({ client, sdk, http }) =>
      client.send(new sdk.DeleteObjectCommand({ Bucket: context.settings.bucket, Key: fullKey(context, key) }), http),
    )
  } catch (error) {
    // Credentials that may only add are a good idea; what was learnt with them is still true.
    if (!isBackupError(error, 'STORAGE_DENIED')) throw error
    context.settings.onWarning(`${context.name}: these credentials may not delete, so the probe object ${key} stays.`)
  }
  return result
}
