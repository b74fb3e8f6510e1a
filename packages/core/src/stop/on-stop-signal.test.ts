import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'

const module = JSON.stringify(new URL('./on-stop-signal.ts', import.meta.url).href)

/** Runs a program, sends it signals when it asks for them by printing their names, and tells how it ended. */
async function run(
  program: string,
): Promise<{ readonly printed: string; readonly complaints: string; readonly end: string | number | null }> {
  const source = `import { createRequire } from 'node:module'
    import { onStopSignal } from ${module}
    const load = createRequire(${JSON.stringify(import.meta.url)})
    const alive = setInterval(() => {}, 1000)
    const say = (text) => process.stdout.write(text + '\\n')
    const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
    ${program}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source])
  let printed = ''
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text
  })
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
    for (const signal of text.match(/^SIG\w+$/gm) ?? []) child.kill(signal as NodeJS.Signals)
  })
  const end = await new Promise<string | number | null>((resolve) =>
    child.once('close', (code, signal) => resolve(signal ?? code)),
  )
  return { printed: printed.replaceAll(/^SIG\w+\n/gm, ''), complaints, end }
}

test.each(['SIGTERM', 'SIGINT'])(
  '%s waits for the handler, and then ends the process as it always would',
  async (signal) => {
    const { printed, end } = await run(`
    onStopSignal(async (name) => { await later(50); say('closed on ' + name) })
    say('${signal}')`)
    expect(printed).toBe(`closed on ${signal}\n`)
    expect(end).toBe(signal)
  },
)

test('handlers run side by side, and the last one after them; one that fails is heard', async () => {
  const { printed, complaints, end } = await run(`
    onStopSignal(() => say('last'), { last: true })
    onStopSignal(async () => { say('one begins'); await later(50); say('one ends') })
    onStopSignal(async () => { say('two begins'); throw new Error('two fails') })
    say('SIGTERM')`)
  expect(printed.split('\n').slice(0, 4)).toEqual(['one begins', 'two begins', 'one ends', 'last'])
  expect(complaints).toBe('sqlite-backup: Not all could be closed on SIGTERM: two fails\n')
  expect(end).toBe('SIGTERM')
})

test('an app that listens itself is left alone, but for those who join', async () => {
  const { printed, end } = await run(`
    onStopSignal(() => say('leaves'))
    onStopSignal((_, { appListens }) => say('joins, the app listens: ' + appListens), { whenAppListens: 'join' })
    process.on('SIGTERM', async () => { await later(50); say('the app is done'); process.exit(7) })
    say('SIGTERM')`)
  expect(printed).toBe('joins, the app listens: true\nthe app is done\n')
  expect(end).toBe(7)
})

test.each(['before', 'after'])('an app that listens once, and %s us, is not ended while it closes', async (order) => {
  const app = `process.once('SIGTERM', async () => { await later(150); say('the app is done'); process.exit(7) })`
  const ours = `onStopSignal((_, { appListens }) => say('joins, the app listens: ' + appListens), { whenAppListens: 'join' })`
  const { printed, end } = await run(`
      ${order === 'before' ? app : ours}
      ${order === 'before' ? ours : app}
      say('SIGTERM')`)
  expect(printed).toBe('joins, the app listens: true\nthe app is done\n')
  expect(end).toBe(7)
})

test.each([0, 300])('an app that is through after %i ms, and sends itself the signal again, ends by it', async (ms) => {
  const { printed, end } = await run(`
    const join = async (_, { appListens }) => { await later(100); say('closed, the app listens: ' + appListens) }
    onStopSignal(join, { whenAppListens: 'join' })
    process.once('SIGTERM', async () => { await later(${ms}); say('the app is done'); process.kill(process.pid, 'SIGTERM') })
    say('SIGTERM')`)
  expect(printed.split('\n').slice(0, -1).sort()).toEqual([
    'closed, the app listens: false',
    'closed, the app listens: true',
    'the app is done',
  ])
  expect(printed).toMatch(/closed, the app listens: false\n$/)
  expect(end).toBe('SIGTERM')
})

// It acts only when nobody but itself listens, and so do we when the app does: each would wait for the other.
test.each([['signal-exit'], ['signal-exit-3'], ['signal-exit', 'signal-exit-3']])(
  'signal-exit is not the app, and hears of the end all the same (%s %s)',
  async (...packages) => {
    const { printed, end } = await run(`
      for (const name of ${JSON.stringify(packages)}) {
        const found = load(name)
        const onExit = found.onExit ?? found
        // It would keep the process alive if this returned true.
        onExit((code, signal) => void say(name + ' hears ' + signal))
      }
      onStopSignal(() => say('closed'))
      onStopSignal((_, { appListens }) => say('joins, the app listens: ' + appListens), { whenAppListens: 'join' })
      say('SIGTERM')`)
    const lines = printed.trim().split('\n')
    expect(lines.slice(0, 2)).toEqual(['closed', 'joins, the app listens: false'])
    expect(lines.slice(2).sort()).toEqual(packages.map((name) => `${name} hears SIGTERM`))
    expect(end).toBe('SIGTERM')
  },
)

test('an app that listens beside signal-exit is still the one that decides', async () => {
  const { printed, end } = await run(`
    load('signal-exit').onExit(() => {})
    onStopSignal(() => say('leaves'))
    process.on('SIGTERM', async () => { await later(50); say('the app is done'); process.exit(7) })
    say('SIGTERM')`)
  expect(printed).toBe('the app is done\n')
  expect(end).toBe(7)
})

test('a second signal ends the process at once, but not the echo of the same key press', async () => {
  const { printed, end } = await run(`
    onStopSignal(async () => {
      say('closing')
      say('SIGINT')
      await later(700)
      say('still closing')
      say('SIGINT')
      await later(60_000)
    })
    say('SIGINT')`)
  expect(printed).toBe('closing\nstill closing\n')
  expect(end).toBe(130)
})

test('a handler that was taken away leaves nothing behind', async () => {
  const { printed, end } = await run(`
    onStopSignal(() => say('never'))()
    say('listeners: ' + process.listenerCount('SIGTERM'))
    say('SIGTERM')`)
  expect(printed).toBe('listeners: 0\n')
  expect(end).toBe('SIGTERM')
})

test('two loaded copies share one listener', async () => {
  const { printed, end } = await run(`
    const copy = await import(${module} + '?copy')
    onStopSignal(() => say('one'))
    copy.onStopSignal(() => say('two'))
    say('listeners: ' + process.listenerCount('SIGTERM'))
    say('SIGTERM')`)
  expect(printed).toBe('listeners: 1\none\ntwo\n')
  expect(end).toBe('SIGTERM')
})
