// Private memory of the child processes and what the engine adds to the app, for databases of different sizes.
//   node memory.mjs [megabytes…]
import { execFileSync, fork } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { Agent, createServer, get } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { startRgw } from '@sqlite-backup/core/testing'
import Database from 'better-sqlite3'
import { database, dataDir } from './generate.mjs'
import { table } from './table.mjs'

if (process.send) await engine()
else await main()

/** Runs as a child: a small app at work, and the engine in it. */
async function engine() {
  const [, , path, profile, storageText] = process.argv
  const { accessKeyId, secretAccessKey, ...rest } = JSON.parse(storageText)
  const app = await startApp(path)
  process.send('idle')
  await new Promise((resolve) => process.once('message', resolve))
  const { openBackup } = await import('@sqlite-backup/core')
  const { s3 } = await import('@sqlite-backup/storage-s3')
  const backup = await openBackup({
    databases: { app: path },
    storages: { s3: s3({ ...rest, credentials: () => ({ accessKeyId, secretAccessKey }) }) },
    profile,
  })
  for (const [phase, task] of [
    ['backup', () => backup.backup('app')],
    ['verify', () => backup.verify('latest', { level: 'proven' })],
    ['restore', () => backup.restore('latest', { output: `${path}.restored`, overwrite: true })],
  ]) {
    process.send(phase)
    await task()
  }
  process.send('done')
  await backup.close()
  app.close()
  rmSync(`${path}.restored`, { force: true })
  process.disconnect()
}

/** Serves a row as JSON over HTTP, a hundred times a second, until V8's young generation has the size of an app's that is used. */
async function startApp(path) {
  const db = new Database(path)
  const order = db.prepare('SELECT * FROM orders WHERE id = ?')
  let id = 0
  const server = createServer((_request, response) => {
    const rows = Array.from({ length: 100 }, () => order.get(1 + (id++ % 100_000)))
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(rows))
  })
  await new Promise((resolve) => server.listen(0, resolve))
  const { port } = server.address()
  const agent = new Agent({ keepAlive: true })
  const ask = () =>
    get({ port, agent }, (response) => response.setEncoding('utf8').on('data', () => {}))
      // One may be under way when the app closes.
      .on('error', () => {})
  let timer = setInterval(ask, 1)
  await sleep(5000)
  clearInterval(timer)
  timer = setInterval(ask, 10)
  await sleep(1000)
  return {
    close() {
      clearInterval(timer)
      agent.destroy()
      server.close()
      db.close()
    },
  }
}

/** Private bytes: what this process costs the machine beyond what it shares. */
function privateBytes(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    return [...text.matchAll(/^Private_(?:Clean|Dirty): +(\d+) kB/gm)].reduce(
      (sum, [, kB]) => sum + Number(kB) * 1024,
      0,
    )
  } catch {
    return 0
  }
}

function childrenOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
    )
  } catch {
    return []
  }
}

async function main() {
  const sizes = process.argv.slice(2).map(Number)
  const rgw = await startRgw()
  const { accessKeyId, secretAccessKey, endpoint, region } = rgw
  const admin = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })
  const scratch = mkdtempSync(join(dataDir, 'memory-'))
  const rows = []
  try {
    for (const profile of ['default', 'small']) {
      for (const megabytes of sizes.length > 0 ? sizes : [500, 2000]) {
        const bucket = `memory-${profile}-${megabytes}`
        await admin.send(new CreateBucketCommand({ Bucket: bucket }))
        const path = join(scratch, 'app.db')
        rmSync(path, { force: true })
        execFileSync('cp', ['--reflink=auto', database(megabytes), path])
        const storage = { bucket, endpoint, region, forcePathStyle: true, accessKeyId, secretAccessKey }
        const app = fork(import.meta.filename, [path, profile, JSON.stringify(storage)])
        const peaks = {}
        let phase
        let idle = 0
        app.on('message', (name) => {
          phase = name
        })
        const gone = new Promise((resolve) => app.once('exit', resolve))
        while (app.exitCode === null && app.signalCode === null) {
          if (phase === 'idle') {
            phase = undefined
            // Its highest too: an app's own garbage comes and goes.
            for (let i = 0; i < 100; i++) {
              idle = Math.max(idle, privateBytes(app.pid))
              await sleep(20)
            }
            app.send('go')
          } else if (phase !== undefined) {
            peaks[phase] ??= { engine: 0, child: 0 }
            const peak = peaks[phase]
            peak.engine = Math.max(peak.engine, privateBytes(app.pid) - idle)
            for (const pid of childrenOf(app.pid)) peak.child = Math.max(peak.child, privateBytes(pid))
          }
          await Promise.race([sleep(20), gone])
        }
        for (const name of ['backup', 'verify', 'restore']) {
          rows.push({
            profile,
            'database, MB': megabytes,
            doing: name,
            'child, MB': peaks[name].child / 1e6,
            'engine above the app, MB': peaks[name].engine / 1e6,
            goal: profile === 'small' ? '60 / 25' : '150 / 40',
          })
        }
      }
    }
    table('Peak private memory (smaps_rollup)', rows)
  } finally {
    await rgw.stop()
    rmSync(scratch, { recursive: true, force: true })
  }
}
