import { execFile } from 'node:child_process'
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { decodeHeader, formatLtxName } from '../index.ts'

const run = promisify(execFile)
const session = fileURLToPath(new URL('litestream-session.ts', import.meta.url))

/** Where Litestream's extension is; nothing on a platform it is not made for, said aloud. In CI it must be there. */
export function litestreamExtension(): string | undefined {
  try {
    const { getLoadablePath } = createRequire(import.meta.url)('litestream-vfs') as { getLoadablePath(): string }
    return getLoadablePath()
  } catch (error) {
    if (process.env.CI) throw error
    console.warn(`SKIPPED: what needs litestream-vfs (${error instanceof Error ? error.message : error}).`)
    return undefined
  }
}

/** Puts files into a folder in the layout Litestream has on a file system. */
export function writeReplica(
  root: string,
  files: readonly { readonly level: number; readonly bytes: Uint8Array }[],
): void {
  for (const { level, bytes } of files) {
    const header = decodeHeader(bytes)
    const folder = join(root, 'ltx', String(level))
    mkdirSync(folder, { recursive: true })
    const path = join(folder, formatLtxName(header))
    writeFileSync(path, bytes)
    utimesSync(path, header.timestampMs / 1000, header.timestampMs / 1000)
  }
}

/** Lets Litestream's own code restore a replica ("hydration": the same merge and checks as its restore); returns the path. */
export async function hydrate(extension: string, root: string, scratch: string): Promise<string> {
  const path = join(scratch, 'hydrated.db')
  await runSession(extension, scratch, 'hydration complete', undefined, {
    LITESTREAM_REPLICA_URL: `file://${root}`,
    LITESTREAM_HYDRATION_ENABLED: 'true',
    LITESTREAM_HYDRATION_PATH: path,
  })
  return path
}

/** Lets Litestream write the next file of a replica: one transaction. (A second one in the same session fails in 0.5.17.) */
export async function writeByLitestream(extension: string, root: string, scratch: string, sql: string): Promise<void> {
  mkdirSync(root, { recursive: true })
  await runSession(extension, scratch, 'synced to remote', sql, {
    LITESTREAM_REPLICA_URL: `file://${root}`,
    LITESTREAM_WRITE_ENABLED: 'true',
    LITESTREAM_BUFFER_PATH: join(scratch, 'buffer'),
    LITESTREAM_SYNC_INTERVAL: '100ms',
  })
}

async function runSession(
  extension: string,
  scratch: string,
  waitFor: string,
  sql: string | undefined,
  settings: Record<string, string>,
): Promise<void> {
  mkdirSync(scratch, { recursive: true })
  const log = join(scratch, `${waitFor.replaceAll(' ', '-')}.log`)
  const env = { ...process.env, LITESTREAM_LOG_FILE: log, LITESTREAM_LOG_LEVEL: 'DEBUG', ...settings }
  const args = [
    '--disable-warning=ExperimentalWarning',
    session,
    extension,
    log,
    waitFor,
    ...(sql === undefined ? [] : [sql]),
  ]
  await run(process.execPath, args, { env, timeout: 100_000 })
}
