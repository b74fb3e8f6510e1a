import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'

const module = JSON.stringify(new URL('./stderr-logger.ts', import.meta.url).href)

test('nobody who reads the log any more is no reason to end the app', async () => {
  const source = `import { stderrLogger } from ${module}
    process.stdin.once('data', () => {
      stderrLogger().warn({}, 'to nobody')
      setImmediate(() => setImmediate(() => process.stdout.write('alive', () => process.exit(7))))
    })
    process.stdout.write('ready')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source])
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
    if (printed !== 'ready') return
    child.stderr.once('close', () => child.stdin.write('now'))
    child.stderr.destroy()
  })
  expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(7)
  expect(printed).toBe('readyalive')
})
