import type { IncomingMessage } from 'node:http'
import { disposableChunk, disposeChunk } from '@sqlite-backup/core'

/** Memory that a socket has read into. */
const readInto = new WeakSet<ArrayBufferLike>()
/** Whether the parser copies the body out of it, as Node's does. Unknown until a chunk of a body was looked at. */
let isCopied: boolean | undefined

/** Of smaller answers nothing piles up. */
const largeBytes = 1024 * 1024

/**
 * Gives back what the socket of a large answer reads as soon as the parser has copied the body out of it. Left to the
 * garbage collector, as much as the whole young generation may hold, 32 MB, piles up in the app first.
 */
export function disposeSocketChunks(response: IncomingMessage): void {
  const { socket } = response
  if (!(Number(response.headers['content-length']) > largeBytes)) return
  // Behind the parser's own listener. The agent gives the socket to another request only after this answer's end.
  const onRead = (chunk: Buffer): void => {
    readInto.add(chunk.buffer)
    if (isCopied) disposeChunk(disposableChunk(chunk))
  }
  const stop = (): void => void socket.off('data', onRead)
  socket.on('data', onRead)
  response.once('end', stop).once('close', stop)
}

/** A chunk of a body, whose memory is its own unless it is the socket's. */
export function ownChunk(chunk: Uint8Array): Uint8Array {
  if (isCopied !== false) isCopied = !readInto.has(chunk.buffer)
  return isCopied ? disposableChunk(chunk) : chunk
}
