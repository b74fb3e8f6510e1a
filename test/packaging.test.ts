// Every package as a stranger gets it: packed, installed with npm in an empty project, used by `import` and by `require`.
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const packagesDir = resolve(import.meta.dirname, '../packages')
const project = mkdtempSync(join(tmpdir(), 'sqlite-backup-project-'))

interface Packed {
  readonly folder: string
  readonly name: string
  readonly entries: readonly string[]
  readonly bins: readonly string[]
  /** Not installed by npm: a stranger who wants that entry has them already. */
  readonly optionalPeers: readonly string[]
}
const packed: Packed[] = []

beforeAll(() => {
  const tarballs = join(project, 'tarballs')
  mkdirSync(tarballs)
  const files: string[] = []
  for (const folder of readdirSync(packagesDir)) {
    const dir = join(packagesDir, folder)
    const manifest = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
    const out = execFileSync('npx', ['-y', 'pnpm@10.34.9', 'pack', '--json', '--pack-destination', tarballs], {
      cwd: dir,
      encoding: 'utf8',
    })
    files.push(JSON.parse(out).filename)
    packed.push({
      folder,
      name: manifest.name,
      optionalPeers: Object.keys(manifest.peerDependenciesMeta ?? {}),
      // ./testing needs Vitest, and ./boot is for `node --import` alone: it starts an engine.
      entries: Object.keys(manifest.exports).filter((key) => !['./package.json', './testing', './boot'].includes(key)),
      bins: Object.keys(manifest.bin ?? {}),
    })
  }
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'stranger', private: true }))
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...files], {
    cwd: project,
    stdio: 'inherit',
  })
  for (const { folder, optionalPeers } of packed) for (const peer of optionalPeers) linkPeer(folder, peer)
})

afterAll(() => rmSync(project, { recursive: true, force: true }))

/** Puts an optional peer beside the installed packages, as the workspace has it. */
function linkPeer(folder: string, peer: string): void {
  const there = join(project, 'node_modules', peer)
  const here = join(packagesDir, folder, 'node_modules', peer)
  if (existsSync(there)) return
  mkdirSync(dirname(there), { recursive: true })
  symlinkSync(realpathSync(here), there)
}

function node(file: string, source: string): string {
  writeFileSync(join(project, file), source)
  return execFileSync(process.execPath, [file], { cwd: project, encoding: 'utf8' }).trim()
}

test('each entry of each package loads by import and by require, and both see the same exports', () => {
  for (const { name, entries } of packed) {
    for (const entry of entries) {
      const specifier = JSON.stringify(join(name, entry))
      const imported = node(
        'imported.mjs',
        `import * as all from ${specifier}\nconsole.log(Object.keys(all).sort().join())`,
      )
      const required = node(
        'required.cjs',
        `const all = require(${specifier})\nconsole.log(Object.keys(all).filter((key) => key !== '__esModule').sort().join())`,
      )
      expect(imported).not.toBe('')
      expect(required, specifier).toBe(imported)
    }
  }
})

test('the installed wrappers find the migrators they are for', () => {
  const output = node(
    'migrators.mjs',
    `import { migrateWithBackup } from '@sqlite-backup/drizzle'
     import { migrateToLatestWithBackup } from '@sqlite-backup/drizzle/kysely'
     import { migrateLatestWithBackup } from '@sqlite-backup/drizzle/knex'
     import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
     import { Migrator } from 'kysely/migration'
     import knex from 'knex'
     console.log([migrateWithBackup, migrate, migrateToLatestWithBackup, Migrator, migrateLatestWithBackup, knex].map((each) => typeof each).join())`,
  )
  expect(output).toBe(Array.from({ length: 6 }, () => 'function').join())
})

test('the bins answer --help', () => {
  const bins = packed.flatMap((each) => each.bins)
  expect(bins).toContain('sqlite-backup')
  for (const bin of bins) {
    expect(
      execFileSync(process.execPath, [join(project, 'node_modules', '.bin', bin), '--help'], { encoding: 'utf8' }),
    ).toMatch(/Usage: /)
  }
})

test('an installed engine backs up and restores, in a CommonJS app too', () => {
  const output = node(
    'app.cjs',
    `const { mkdirSync, rmSync } = require('node:fs')
     const { DatabaseSync } = require('node:sqlite')
     const { openBackup, filesystem } = require('@sqlite-backup/core')
     const main = async () => {
       mkdirSync('data', { recursive: true })
       const db = new DatabaseSync('data/app.db')
       db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1), (2), (3)')
       const backup = await openBackup({ databases: { app: 'data/app.db' }, storages: { disk: filesystem({ dir: 'backups' }) } })
       await backup.backup('app')
       db.close()
       rmSync('data', { recursive: true })
       const [boot] = await backup.restoreIfMissing()
       await backup.close()
       console.log(boot.outcome, new DatabaseSync('data/app.db').prepare('SELECT count(*) AS n FROM t').get().n)
     }
     main()`,
  )
  expect(output).toBe('restored 3')
})
