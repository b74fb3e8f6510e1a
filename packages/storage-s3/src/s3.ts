import type { Storage } from '@sqlite-backup/core'
import { createDeleteObjects } from './delete-objects.ts'
import { createEtagForm, getObject } from './get-object.ts'
import { headObject } from './head-object.ts'
import { listObjects } from './list-objects.ts'
import { createProbes } from './probes.ts'
import { createPutObject } from './put-object.ts'
import { createConnection, type Surroundings } from './s3-connection.ts'
import type { S3Context } from './s3-context.ts'
import { machine, resolveOptions, type S3Options } from './s3-options.ts'

/**
 * A bucket of S3 or of anything that speaks its language: AWS, R2, B2, Railway, Tigris, MinIO, Ceph.
 * Connects on first use. Wrap it in `withRetry` where it is not given to the engine, which does.
 *
 * @throws BackupError `CONFIG_INVALID`
 * @example
 * const storage = s3({ bucket: 'acme-backups', prefix: 'prod', region: 'eu-central-1' })
 */
export function s3(options: S3Options): Storage {
  return openS3(options, { now: () => new Date() })
}

/** {@link s3} with its surroundings to choose. */
export function openS3(options: S3Options, surroundings: Surroundings): Storage {
  const settings = resolveOptions(options, machine(surroundings.env))
  const name = `s3 ${settings.bucket}${settings.prefix === '' ? '' : `/${settings.prefix.slice(0, -1)}`}`
  const connection = createConnection(name, settings, surroundings)
  const context: S3Context = { name, settings, connection }
  const probes = createProbes(context)
  const etags = createEtagForm()
  return {
    name,
    kind: 's3',
    put: createPutObject(context, probes),
    get: (key, getOptions) => getObject(context, etags, key, getOptions),
    head: (key, callOptions) => headObject(context, key, callOptions),
    list: (listOptions) => listObjects(context, listOptions),
    delete: createDeleteObjects(context),
    fencing: (callOptions) => probes.fencing(callOptions?.signal),
    prepare: () => connection.prepare(),
    close: () => connection.close(),
  }
}
