import { createHash } from 'node:crypto'
import type { Compression, DecodeOptions, EncodeOptions } from './codec.ts'
import { createEncoder } from './create-encoder.ts'
import { decodeBody } from './decode-body.ts'
import { makeKeyPair, samplePlain } from './testing-bodies.ts'

// Packs and unpacks at the same time, in a process of its own, and tells how much memory that took at most.
const [compression = 'zst', megabytes = '50', lock = 'open'] = process.argv.slice(2)
const MiB = 1024 * 1024
const options = {
  compression: compression as Compression,
  level: 1,
  frameSizeBytes: MiB,
  inFlight: 2,
  pieceSizeBytes: 5 * MiB,
}
const keyPair = await makeKeyPair()
const isLocked = lock === 'locked'
const encode: EncodeOptions = isLocked ? { ...options, encryption: { recipients: [keyPair.recipient] } } : options
const decode: DecodeOptions = {
  compression: options.compression,
  encrypted: isLocked,
  keys: { identities: [keyPair.identity] },
  freeChunks: true,
}

// One chunk at a time passes from the encoder to the decoder.
let offer: (chunk: Uint8Array | undefined) => void = () => undefined
let offered = new Promise<Uint8Array | undefined>((resolve) => {
  offer = resolve
})
let taken: () => void = () => undefined
async function* body(): AsyncGenerator<Uint8Array> {
  for (;;) {
    const chunk = await offered
    if (chunk === undefined) return
    offered = new Promise((resolve) => {
      offer = resolve
    })
    // The decoder may hold on to parts of it: a file or a socket would give it a chunk of its own, too.
    yield Uint8Array.from(chunk)
    taken()
  }
}

const written = (async () => {
  const encoder = await createEncoder(encode, {
    write(chunk) {
      return new Promise((resolve) => {
        taken = resolve
        offer(chunk)
      })
    },
    onPiece: () => undefined,
  })
  const sample = samplePlain(MiB)
  const buffer = Buffer.alloc(MiB)
  for (let count = 0; count < Number(megabytes); count += 1) {
    sample.copy(buffer)
    buffer.writeUInt32LE(count, 100)
    await encoder.write(buffer)
  }
  const result = await encoder.end()
  offer(undefined)
  return result
})()

const startRss = process.memoryUsage.rss()
const hash = createHash('sha256')
for await (const chunk of decodeBody(body(), decode)) hash.update(chunk)
const { plain } = await written
const isSame = hash.digest('hex') === plain.sha256
process.stdout.write(
  JSON.stringify({
    isSame,
    sizeBytes: plain.sizeBytes,
    grownMiB: Math.round(process.resourceUsage().maxRSS / 1024 - startRss / MiB),
  }),
)
