/** Ids of backups that are being restored or verified in this process. */
export interface InUse {
  during<T>(id: string, task: () => Promise<T>): Promise<T>
  has(id: string): boolean
}

export function createInUse(): InUse {
  const counts = new Map<string, number>()
  return {
    async during(id, task) {
      counts.set(id, (counts.get(id) ?? 0) + 1)
      try {
        return await task()
      } finally {
        const left = (counts.get(id) ?? 1) - 1
        if (left === 0) counts.delete(id)
        else counts.set(id, left)
      }
    },
    has: (id) => counts.has(id),
  }
}
