// A 400 MB database on a machine of 256 MB: restore at boot, backup, verify, close, in a memory cgroup (needs root).
//   node small-machine.mjs [megabytes] [limit in MB]
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { filesystem, openBackup } from '@sqlite-backup/core'
import { database, dataDir } from './generate.mjs'
import { table } from './table.mjs'

if (process.argv[2] === '--inside') await inside(process.argv[3])
else await outside(Number(process.argv[2] ?? 400), Number(process.argv[3] ?? 256))

/** The app: everything a small container does in its life. */
async function inside(dir) {
  const { default: Database } = await import('better-sqlite3')
  const path = join(dir, 'data', 'app.db')
  mkdirSync(join(dir, 'data'), { recursive: true })
  const backup = await openBackup({
    databases: { app: path },
    storages: { disk: filesystem({ dir: join(dir, 'storage') }) },
  })
  const seconds = {}
  const timed = async (name, task) => {
    const began = performance.now()
    const result = await task()
    seconds[name] = (performance.now() - began) / 1000
    return result
  }
  const [boot] = await timed('restore', () => backup.restoreIfMissing())
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.exec("UPDATE users SET city = 'here' WHERE id < 1000")
  await timed('backup', () => backup.backup('app'))
  const { record } = await timed('verify', () => backup.verify('latest', { level: 'proven' }))
  await timed('close', () => backup.close())
  const orders = db.prepare('SELECT count(*) AS n FROM orders').get().n
  db.close()
  if (boot.outcome !== 'restored' || record.outcome !== 'ok' || record.tables.orders !== orders)
    throw new Error('It came back wrong.')
  console.log(JSON.stringify(seconds))
}

async function outside(megabytes, limit) {
  const scratch = mkdtempSync(join(dataDir, 'small-'))
  const group = makeGroup(limit * 1024 * 1024)
  try {
    await using backup = await openBackup({
      databases: { app: database(megabytes) },
      storages: { disk: filesystem({ dir: join(scratch, 'storage') }) },
    })
    await backup.backup('app')
    const run = spawnSync(
      'sh',
      [
        '-c',
        `echo $$ > ${group.dir}/cgroup.procs && exec "$0" "$@"`,
        process.execPath,
        import.meta.filename,
        '--inside',
        scratch,
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
    )
    if (run.status !== 0) throw new Error(`It did not survive: ${run.signal ?? `exit code ${run.status}`}.`)
    const seconds = JSON.parse(run.stdout.trim().split('\n').at(-1))
    table(`A ${megabytes} MB database on ${limit} MB`, [
      {
        ...Object.fromEntries(Object.entries(seconds).map(([name, value]) => [`${name}, s`, value])),
        'peak incl. page cache, MB': group.peak() / 1e6,
        'killed for memory': group.kills(),
      },
    ])
  } finally {
    group.remove()
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Version 1 or 2, whichever is mounted. */
function makeGroup(bytes) {
  const isV2 = existsSync('/sys/fs/cgroup/cgroup.controllers')
  const dir = join(isV2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory', `sqlite-backup-bench-${process.pid}`)
  mkdirSync(dir)
  const read = (name) => readFileSync(join(dir, name), 'utf8')
  writeFileSync(join(dir, isV2 ? 'memory.max' : 'memory.limit_in_bytes'), String(bytes))
  if (isV2) writeFileSync(join(dir, 'memory.swap.max'), '0')
  return {
    dir,
    peak: () => Number(read(isV2 ? 'memory.peak' : 'memory.max_usage_in_bytes')),
    kills: () => Number(/oom_kill (\d+)/.exec(read(isV2 ? 'memory.events' : 'memory.oom_control'))?.[1] ?? 0),
    remove() {
      execFileSync('sh', ['-c', `for p in $(cat ${dir}/cgroup.procs); do kill -9 $p; done; sleep 0.2`])
      rmdirSync(dir)
    },
  }
}
