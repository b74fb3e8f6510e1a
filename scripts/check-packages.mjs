// publint and attw over the tarball of every published package.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const scratch = mkdtempSync(join(tmpdir(), 'sqlite-backup-pack-'))
try {
  for (const folder of readdirSync('packages')) {
    const dir = resolve('packages', folder)
    const { name, private: isPrivate, exports = {} } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
    if (isPrivate) continue
    const packed = execFileSync('npx', ['-y', 'pnpm@10.34.9', 'pack', '--json', '--pack-destination', scratch], {
      cwd: dir,
      encoding: 'utf8',
    })
    const tarball = JSON.parse(packed).filename
    execFileSync('publint', ['run', tarball, '--strict'], { stdio: 'inherit' })
    const hasTypes = Object.values(exports).some((entry) => typeof entry === 'object' && 'types' in entry)
    if (hasTypes)
      execFileSync('attw', [tarball, '--profile', 'esm-only', '--format', 'table-flipped'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
    console.log(`${name}: publint${hasTypes ? ' and attw' : ''} ok`)
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
