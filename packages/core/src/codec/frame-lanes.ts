import { freeBuffer } from './free-buffer.ts'

/** Cuts plain bytes into frames, packs some of them at a time, and hands the results on in order. */
export interface FrameLanes {
  /** Copies the chunk; resolves when there is room for more. One call at a time. */
  write(chunk: Uint8Array): Promise<void>
  /** Packs the rest as the last frame (empty when the input ended on a frame's edge) and waits for everything. */
  end(): Promise<void>
  destroy(): void
}

export interface FrameLanesOptions {
  readonly frameSizeBytes: number
  readonly inFlight: number
  /** Packs one frame. Its buffer is used again as soon as the promise resolves. */
  pack(frame: Buffer, isLast: boolean): Promise<Uint8Array>
  /** Called in order, one at a time. */
  emit(packed: Uint8Array, plainBytes: number): Promise<void>
}

export function createFrameLanes({ frameSizeBytes, inFlight, pack, emit }: FrameLanesOptions): FrameLanes {
  const idle: Buffer[] = []
  const packing: Promise<unknown>[] = []
  const emitting: Promise<void>[] = []
  let tail: Promise<void> = Promise.resolve()
  let failure: { readonly error: unknown } | undefined
  let frame: Buffer | undefined
  let filled = 0

  const fail = (error: unknown): void => {
    failure ??= { error }
  }
  const throwFailure = (): void => {
    if (failure !== undefined) throw failure.error
  }

  const launch = async (isLast: boolean): Promise<void> => {
    // The next frame is already full while its predecessors are packed: no thread waits for reading or hashing.
    while (packing.length >= inFlight) await packing.shift()
    while (emitting.length >= 2 * inFlight) await emitting.shift()
    throwFailure()
    const buffer = frame ?? Buffer.alloc(0)
    const plainBytes = filled
    frame = undefined
    filled = 0
    const packed = pack(buffer.subarray(0, plainBytes), isLast)
    packing.push(
      packed.then(() => {
        if (buffer.length > 0) idle.push(buffer)
      }, fail),
    )
    tail = tail.then(async () => {
      if (failure !== undefined) return
      const bytes = await packed
      await emit(bytes, plainBytes)
      freeBuffer(bytes)
    })
    tail = tail.catch(fail)
    emitting.push(tail)
  }

  return {
    async write(chunk) {
      let offset = 0
      while (offset < chunk.length) {
        throwFailure()
        frame ??= idle.pop() ?? Buffer.allocUnsafeSlow(frameSizeBytes)
        const count = Math.min(frameSizeBytes - filled, chunk.length - offset)
        frame.set(chunk.subarray(offset, offset + count), filled)
        filled += count
        offset += count
        if (filled === frameSizeBytes) await launch(false)
      }
    },
    async end() {
      await launch(true)
      await tail
      throwFailure()
    },
    destroy() {
      fail(new Error('The encoder was destroyed.'))
      idle.length = 0
      frame = undefined
    },
  }
}
