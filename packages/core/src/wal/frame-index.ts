/** Page number → newest frame that holds it: 8 bytes a slot in typed arrays, for logs of millions of frames. */
export interface FrameIndex {
  readonly size: number
  set(page: number, frame: number): void
  /** The newest frame of a page; 0 when the log has none. */
  get(page: number): number
}

/** An open-addressing hash table; page numbers are at least 1, so 0 marks a free slot. */
export function createFrameIndex(expectedPages = 512): FrameIndex {
  let capacity = 2 ** Math.ceil(Math.log2(Math.max(16, expectedPages * 2)))
  let pages = new Uint32Array(capacity)
  let frames = new Uint32Array(capacity)
  let size = 0

  // Fibonacci hashing spreads the runs of consecutive page numbers that a log is full of.
  const slotOf = (page: number): number => {
    let slot = (Math.imul(page, 0x9e3779b1) >>> 0) & (capacity - 1)
    while (pages[slot] !== 0 && pages[slot] !== page) slot = (slot + 1) & (capacity - 1)
    return slot
  }
  const put = (page: number, frame: number): void => {
    const slot = slotOf(page)
    if (pages[slot] === 0) size += 1
    pages[slot] = page
    frames[slot] = frame
  }
  const grow = (): void => {
    const [oldPages, oldFrames] = [pages, frames]
    capacity *= 2
    pages = new Uint32Array(capacity)
    frames = new Uint32Array(capacity)
    size = 0
    for (let i = 0; i < oldPages.length; i++) {
      if (oldPages[i] !== 0) put(oldPages[i] as number, oldFrames[i] as number)
    }
  }

  return {
    get size() {
      return size
    },
    set(page, frame) {
      if (size * 2 >= capacity) grow()
      put(page, frame)
    },
    get(page) {
      return size === 0 ? 0 : (frames[slotOf(page)] as number)
    },
  }
}
