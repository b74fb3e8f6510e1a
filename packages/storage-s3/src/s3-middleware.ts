import { createHash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { S3Client } from '@aws-sdk/client-s3'

const digests = new WeakMap<object, string>()

/** Makes the request that sends `body` be signed with this SHA-256 (hex), instead of unsigned as the SDK does with streams. */
export function declareDigest(body: object, sha256: string): void {
  digests.set(body, sha256)
}

/** Puts what the SDK does not do by itself between it and the wire. */
export function addMiddleware(client: S3Client, headers: Readonly<Record<string, string>>): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const { request } = args
      if (!isHttpRequest(request)) return next(args)
      Object.assign(request.headers, headers)
      const { Body } = args.input as { readonly Body?: unknown }
      const sha256 = typeof Body === 'object' && Body !== null ? digests.get(Body) : undefined
      if (sha256 !== undefined) request.headers['x-amz-content-sha256'] = sha256
      if (context.commandName === 'DeleteObjectsCommand') checkByMd5(request)
      return next(args)
    },
    { step: 'build', priority: 'low' },
  )
  // The first request of its kind takes some 15 ms of the event loop until it is on its way, nearly all of it for code that
  // V8 has not compiled yet, or has thrown away since. The app has its turn between the steps.
  client.middlewareStack.add((next) => async (args) => next(await turn(args)), { step: 'serialize', priority: 'high' })
  client.middlewareStack.add((next) => async (args) => next(await turn(args)), { step: 'build', priority: 'high' })
  client.middlewareStack.add((next) => async (args) => next(await turn(args)), {
    step: 'finalizeRequest',
    priority: 'low',
  })
  client.middlewareStack.add((next) => async (args) => turn(await next(await turn(args))), {
    step: 'deserialize',
    priority: 'low',
  })
}

interface HttpRequest {
  readonly headers: Record<string, string>
  readonly body?: unknown
}

function isHttpRequest(request: unknown): request is HttpRequest {
  return typeof request === 'object' && request !== null && 'headers' in request
}

/**
 * The digest every store takes of a batch delete. GCS and older stores refuse the CRC32 the SDK sends:
 * https://github.com/aws/aws-sdk-js-v3/issues/6819
 */
function checkByMd5({ headers, body }: HttpRequest): void {
  for (const name of Object.keys(headers)) if (/^x-amz-(sdk-)?checksum-/i.test(name)) delete headers[name]
  headers['content-md5'] = createHash('md5')
    .update(body as string | Uint8Array)
    .digest('base64')
}
