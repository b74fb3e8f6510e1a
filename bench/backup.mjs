// Backup and restore of a 500 MB database, against the tools a careful person would use by hand.
//   node backup.mjs [megabytes] [rounds]
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { filesystem, openBackup } from '@sqlite-backup/core'
import { database, dataDir } from './generate.mjs'
import { median, table } from './table.mjs'

const megabytes = Number(process.argv[2] ?? 500)
const rounds = Number(process.argv[3] ?? 3)
const path = database(megabytes)
mkdirSync(dataDir, { recursive: true })
const scratch = mkdtempSync(join(dataDir, 'backup-'))
const run = (command, ...args) => execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
const DEFAULT_LEVEL = 1

async function timed(task) {
  const began = performance.now()
  await task()
  return (performance.now() - began) / 1000
}

async function engine(level, dir) {
  return openBackup({
    databases: { app: path },
    storages: { disk: filesystem({ dir: join(scratch, dir) }) },
    ...(level === undefined ? {} : { compression: { level } }),
  })
}

/** Ours and theirs in turns, so that both meet the same noise. */
async function inTurns(contestants) {
  const seconds = contestants.map(() => [])
  for (let round = 0; round <= rounds; round++) {
    for (const [i, contestant] of contestants.entries()) {
      const took = await timed(() => contestant(round))
      if (round > 0) seconds[i].push(took) // The first round warms the page cache.
    }
  }
  return seconds.map(median)
}

const byHand = (level) => () => {
  const copy = join(scratch, 'copy.db')
  run('sqlite3', path, `.backup '${copy}'`)
  run('zstd', '-qf', '-T0', `-${level}`, copy, '-o', `${copy}.zst`)
}

const rows = []
try {
  for (const [title, ours, theirs, goal] of [
    ['level 1', 1, 1, 0.8],
    ['level 3', 3, 3, 0.8],
    [`our default (${DEFAULT_LEVEL}) against zstd's default (3)`, undefined, 3, 0.6],
  ]) {
    await using backup = await engine(ours, `storage-${ours ?? 'default'}`)
    const [mine, peer] = await inTurns([() => backup.backup('app'), byHand(theirs)])
    rows.push({
      what: `backup to disk, ${title}`,
      'ours, s': mine,
      'sqlite3 .backup + zstd -T0, s': peer,
      ratio: mine / peer,
      goal: `≤ ${goal}`,
    })
    rmSync(join(scratch, 'storage-3'), { recursive: true, force: true })
  }

  await using backup = await engine(undefined, 'storage-default')
  const body = execFileSync('find', [join(scratch, 'storage-default'), '-name', '*.db.zst'], {
    encoding: 'utf8',
  }).split('\n')[0]
  const [mine, peer] = await inTurns([
    async (round) => {
      const output = join(scratch, `restored-${round}.db`)
      await backup.restore('latest', { output })
      rmSync(output)
    },
    () => {
      run('zstd', '-dqf', body, '-o', join(scratch, 'by-hand.db'))
      run('sqlite3', join(scratch, 'by-hand.db'), 'PRAGMA quick_check')
      rmSync(join(scratch, 'by-hand.db'))
    },
  ])
  rows.push({
    what: 'restore from disk, checked',
    'ours, s': mine,
    'zstd -d + quick_check, s': peer,
    ratio: mine / peer,
    goal: '≤ 1.0',
  })
  table(`Backup and restore of ${megabytes} MB (median of ${rounds})`, rows)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
