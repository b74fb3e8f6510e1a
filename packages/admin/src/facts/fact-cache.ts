/** Facts read from storages, kept for a moment: ten people looking at a page are one look at the bucket. */
export interface FactCache {
  get<T>(key: string, load: () => Promise<T>): Promise<T>
  /** Something has changed: the next look is a fresh one. */
  clear(): void
}

const KEPT_MS = 15_000
const MAX_FACTS = 200

export function createFactCache(now: () => Date): FactCache {
  const facts = new Map<string, { readonly atMs: number; readonly value: Promise<unknown> }>()
  return {
    get<T>(key: string, load: () => Promise<T>): Promise<T> {
      const atMs = now().getTime()
      const cached = facts.get(key)
      if (cached !== undefined && atMs - cached.atMs < KEPT_MS) return cached.value as Promise<T>
      if (facts.size >= MAX_FACTS) facts.clear()
      const value = load()
      facts.set(key, { atMs, value })
      // A failure is told to who asked, and tried again by the next.
      value.catch(() => facts.delete(key))
      return value
    },
    clear: () => facts.clear(),
  }
}
