// Next runs this once in each server process, before the first request is answered.
export async function register() {
  if (process.env.NEXT_RUNTIME === 'nodejs') {
    const { startBackups } = await import('./backups')
    await startBackups()
  }
}
