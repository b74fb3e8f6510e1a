import { hashBody } from '../codec/hash-body.ts'
import { giveWay } from '../rpc/give-way.ts'
import { serve } from '../rpc/serve.ts'
import { checkForeignKeysOf, checkImage } from './check-image.ts'
import { decodeToFile } from './decode-to-file.ts'
import { diffImages } from './diff-images.ts'
import { encodeImage } from './encode-image.ts'
import { hashImage } from './hash-image.ts'
import type { WorkMethods } from './protocol.ts'
import { readBodyFile } from './read-body-file.ts'
import { surveyImage } from './survey-image.ts'

const PROGRESS_BYTES = 16 * 1024 * 1024

serve<WorkMethods>({
  giveWay: () => giveWay('all'),
  decode: ({ body, file, options, reserveBytes }, { signal, emit, input }) =>
    decodeToFile(body === undefined ? input() : readBodyFile(body), file, {
      decode: options,
      reserveBytes,
      signal,
      onProgress: (plainBytes) => emit({ plainBytes }),
    }),
  hash: ({ body, expect }, { emit, input }) =>
    hashBody(
      counted(body === undefined ? input() : readBodyFile(body), (storedBytes) => emit({ storedBytes })),
      expect,
    ),
  hashImage: ({ file, expect }, { signal }) => hashImage(file, expect, signal),
  check: async ({ file, ...options }) => checkImage(file, options),
  checkForeignKeys: async ({ file }) => checkForeignKeysOf(file),
  encode: ({ file, spoolFile, encode }, { signal, emit }) =>
    encodeImage(file, spoolFile, { encode, signal, onProgress: (plainBytes) => emit({ plainBytes }) }),
  diff: async ({ now, after }) => diffImages(now, after),
  survey: async ({ file, ...options }) => surveyImage(file, options),
})

async function* counted(
  input: AsyncIterable<Uint8Array>,
  onProgress: (bytes: number) => void,
): AsyncIterable<Uint8Array> {
  let bytes = 0
  let reportedAt = 0
  for await (const chunk of input) {
    bytes += chunk.byteLength
    if (bytes - reportedAt >= PROGRESS_BYTES) {
      reportedAt = bytes
      onProgress(bytes)
    }
    yield chunk
  }
}
