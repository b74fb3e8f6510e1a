import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { makeDatabase, tempFolder } from './testing/make-database.ts'

const packageDir = fileURLToPath(new URL('..', import.meta.url))

/** The CLI as `npm install @sqlite-backup/cli` puts it into a project: without any storage. */
function installCli(dir: string): string {
  const modules = join(dir, 'node_modules')
  const cli = join(modules, '@sqlite-backup/cli')
  mkdirSync(cli, { recursive: true })
  mkdirSync(join(modules, '@clack'))
  for (const part of ['bin', 'dist', 'package.json'])
    cpSync(join(packageDir, part), join(cli, part), { recursive: true })
  for (const name of ['@sqlite-backup/core', '@clack/prompts', 'commander']) {
    symlinkSync(realpathSync(join(packageDir, 'node_modules', name)), join(modules, name))
  }
  return join(cli, 'bin/sqlite-backup.js')
}

describe('s3:// without the adapter', () => {
  it('says what to install, with exit code 2', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const bin = installCli(folder.path)
    const args = [bin, 'backup', './app.db', '--to', 's3://bucket/prefix']
    const { exitCode, stderr } = await new Promise<{ exitCode: unknown; stderr: string }>((resolve) => {
      // Without NODE_PATH, in which a package manager may name folders of its own.
      execFile(process.execPath, args, { cwd: folder.path, env: { HOME: folder.path } }, (error, _stdout, stderr) =>
        resolve({ exitCode: error === null ? 0 : error.code, stderr }),
      )
    })
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: expect.stringContaining('npm install @sqlite-backup/storage-s3'),
    })
  })
})
