// What the Fastify plugin costs an app: at a warm start, and at 500 requests a second.
//   node host.mjs [megabytes] [rounds]
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { join } from 'node:path'
import { database, dataDir } from './generate.mjs'
import { median, table } from './table.mjs'

const megabytes = Number(process.argv[2] ?? 100)
const rounds = Number(process.argv[3] ?? 9)
const PER_SECOND = 500
const LOAD_MS = 8_000
const scratch = mkdtempSync(join(dataDir, 'host-'))
const path = join(scratch, 'app.db')
cpSync(database(megabytes), path)

/** One life of the app: how long until it listens, and what a visitor feels. */
async function life(plugin, look = async () => ({})) {
  const options = JSON.stringify({ path, backups: join(scratch, 'backups'), plugin })
  const began = performance.now()
  const child = spawn(process.execPath, ['host-app.mjs', options], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const [port, cpuMs] = await new Promise((resolve, reject) => {
    child.stdout.once('data', (text) => resolve(String(text).split(' ').slice(1).map(Number)))
    child.once('exit', (code) => reject(new Error(`The app ended with ${code}.`)))
  })
  const startMs = performance.now() - began
  const before = cpuOf(child.pid)
  const felt = await look(port)
  const loadCpuMs = cpuOf(child.pid) - before
  child.kill('SIGTERM')
  await ended
  return { startMs, cpuMs, loadCpuMs, ...felt }
}

/** What a process has used so far; undefined where there is no /proc. */
function cpuOf(pid) {
  if (!existsSync('/proc/self/stat')) return undefined
  const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
    .slice(11, 13)
  return (Number(user) + Number(system)) * 10
}

/** Requests that are due at fixed times, whether or not the ones before are answered. */
async function visit(port) {
  const agent = new Agent({ keepAlive: true, maxSockets: 50 })
  const latencies = []
  const request = () =>
    new Promise((resolve, reject) => {
      // Timers are up to a millisecond early or late, so not from when it was due. Nothing here waits for an answer.
      const sent = performance.now()
      get({ host: '127.0.0.1', port, agent }, (response) => {
        response.resume().once('end', () => {
          latencies.push(performance.now() - sent)
          resolve()
        })
      }).once('error', reject)
    })
  const began = performance.now()
  const running = []
  for (let n = 0; n < (LOAD_MS / 1000) * PER_SECOND; n++) {
    const due = began + (n * 1000) / PER_SECOND
    const wait = due - performance.now()
    if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait))
    running.push(request())
  }
  await Promise.all(running)
  const perSecond = running.length / ((performance.now() - began) / 1000)
  agent.destroy()
  latencies.sort((a, b) => a - b)
  return { perSecond, p50: latencies[latencies.length >> 1], p99: latencies[Math.floor(latencies.length * 0.99)] }
}

async function compare(count, look) {
  const runs = { off: [], on: [] }
  // In turns, so that what else the machine does falls on both.
  for (let round = 0; round < count; round++) {
    runs.off.push(await life(false, look))
    runs.on.push(await life(true, look))
  }
  return (key) => ['off', 'on'].map((each) => median(runs[each].map((run) => run[key])))
}

try {
  // Its first stop makes the backup that a warm start finds.
  await life(true)
  const start = await compare(rounds)
  const [off, on] = start('startMs')
  const [offCpu, onCpu] = start('cpuMs')
  table(
    `From starting the process until it listens, with ${megabytes} MB that are there (median of ${rounds}; goal: at most 150 ms more)`,
    [
      { plugin: 'off', 'starts in, ms': off, 'of CPU, ms': offCpu },
      { plugin: 'on', 'starts in, ms': on, 'of CPU, ms': onCpu, 'more, ms': on - off, 'more CPU, ms': onCpu - offCpu },
    ],
  )
  const loadRounds = Math.max(3, Math.floor(rounds / 3))
  const load = await compare(loadRounds, visit)
  const figures = (index) => ({
    'requests/s': load('perSecond')[index],
    'p50, ms': load('p50')[index],
    'p99, ms': load('p99')[index],
    'CPU of the app, ms': load('loadCpuMs')[index],
  })
  const ratio = (key) => load(key)[1] / load(key)[0]
  table(
    `${PER_SECOND} requests a second, each writes and reads (median of ${loadRounds}; goals: requests/s ≥ 0.97, p99 ≤ 1.1)`,
    [
      { plugin: 'off', ...figures(0) },
      { plugin: 'on', ...figures(1) },
      {
        plugin: 'on / off',
        'requests/s': ratio('perSecond'),
        'p50, ms': ratio('p50'),
        'p99, ms': ratio('p99'),
        'CPU of the app, ms': ratio('loadCpuMs'),
      },
    ],
  )
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
