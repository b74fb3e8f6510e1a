// The layers of docs/architecture.md, held. Arrows point down only.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'

const src = import.meta.dirname

/** What the verbs share: the engine's context and API, next to the rooms. */
const shared = ['context', 'engine-api', 'engine-facts', 'find-backup', 'in-use', 'progress']

/** Which rooms a room may import from, besides itself. `errors` and `events` may be imported by all. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  wal: [],
  rpc: [],
  storage: ['spool/durable', 'spool/space'],
  codec: [],
  spool: ['storage/storage', 'storage/spent-chunk', 'wal/result-code'],
  catalog: ['storage', 'codec', 'verify/record'],
  config: ['storage', 'codec', 'catalog', 'spool'],
  capture: ['wal', 'codec', 'spool', 'rpc', 'catalog/manifest'],
  work: [
    'codec',
    'spool',
    'rpc',
    'storage/storage',
    'storage/filesystem-error',
    'storage/read-chunks',
    'storage/spent-chunk',
    'wal/result-code',
  ],
  audit: [...shared, 'catalog', 'storage'],
  backup: [...shared, 'catalog', 'storage', 'codec', 'spool', 'capture/client', 'capture/protocol', 'config'],
  verify: [...shared, 'catalog', 'storage', 'codec', 'spool', 'work/client', 'work/protocol', 'config'],
  restore: [
    ...shared,
    'catalog',
    'storage',
    'codec',
    'spool',
    'capture/client',
    'capture/protocol',
    'work/client',
    'work/protocol',
    'config',
    'backup',
    'audit',
  ],
  start: [
    ...shared,
    'catalog',
    'storage/storage',
    'spool',
    'config',
    'backup/store-pending',
    'restore/restore-database',
    'restore/restore-if-missing',
    'restore/restore-reference',
  ],
  monitor: [...shared, 'catalog', 'storage', 'spool', 'config', 'notify'],
  notify: ['config'],
  prune: [...shared, 'backup/pending', 'catalog', 'storage', 'spool', 'config'],
  schedule: [...shared, 'backup', 'catalog', 'storage', 'spool', 'config', 'monitor', 'prune', 'verify'],
  guard: [
    ...shared,
    'catalog',
    'storage/storage',
    'spool',
    'capture/client',
    'work/client',
    'work/protocol',
    'work/possible-moves',
    'config',
    'backup/backup-database',
    'backup/choose-encoding',
    'backup/run-backup',
    'restore/restore-reference',
    'verify/verify-after-backup',
  ],
  stop: [...shared, 'backup/backup-database', 'storage', 'config', 'stderr-logger'],
}

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

const sources: ReadonlySet<string> = new Set(
  readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.includes('/testing/'),
  ),
)

function importsOf(file: string): Import[] {
  const text = readFileSync(join(src, file), 'utf8')
  return [...text.matchAll(/^(?:import|export)\s(type\s)?[^'"]*?from\s+'([^']+)'|import\('([^']+)'\)/gm)].map(
    (match) => {
      const specifier = match[2] ?? match[3] ?? ''
      const to = specifier.startsWith('.')
        ? relative(src, join(src, dirname(file), specifier)).replace(/\.ts$/, '')
        : specifier
      return { from: file, to, typeOnly: match[1] !== undefined }
    },
  )
}

const imports = [...sources].flatMap(importsOf)
const roomOf = (path: string): string => (path.includes('/') ? path.slice(0, path.indexOf('/')) : '')

test('the sources are read at all', () => {
  expect(imports.length).toBeGreaterThan(100)
})

test('no room imports from a room above it', () => {
  const wrong = imports.filter(({ from, to }) => {
    const room = roomOf(from)
    if (room === '' || to.startsWith('node:') || !sources.has(`${to}.ts`)) return false
    if (roomOf(to) === room || to === 'errors' || to === 'events') return false
    return !(allowed[room] ?? []).some((arrow) => to === arrow || to.startsWith(`${arrow}/`))
  })
  expect(wrong).toEqual([])
})

test('only the capture and work processes load SQLite, and whoever takes a lock of the spool', () => {
  const users = imports.filter(({ to, typeOnly }) => to === 'node:sqlite' && !typeOnly).map(({ from }) => roomOf(from))
  expect([...new Set(users)].sort()).toEqual(['capture', 'work'])
  const lazily = [...sources].filter((file) => /getBuiltinModule/.test(readFileSync(join(src, file), 'utf8')))
  expect(lazily).toEqual(['spool/lock-folder.ts'])
})

test('the engine reaches the child processes only through their clients and protocols', () => {
  // The last is a pure rule over what the protocol carries, kept by both sides.
  const faces = ['capture/client', 'capture/protocol', 'work/client', 'work/protocol', 'work/possible-moves']
  const inside = imports.filter(({ from, to }) => {
    const target = roomOf(to)
    return (
      (target === 'capture' || target === 'work') &&
      roomOf(from) !== 'capture' &&
      roomOf(from) !== 'work' &&
      !faces.includes(to)
    )
  })
  expect(inside).toEqual([])
})

test('zod stays in the config room, and no cloud SDK or web framework is known here', () => {
  const packages = imports.filter(({ to }) => !/^node:|\/testing\//.test(to) && !sources.has(`${to}.ts`))
  expect(packages.filter(({ from, to }) => to === 'zod' && roomOf(from) !== 'config')).toEqual([])
  expect([...new Set(packages.map(({ to }) => to))].sort()).toEqual(['age-encryption', 'croner', 'vitest', 'zod'])
})
