// The last backup of an app that ended before it was made. The app's process starts this one on its way out and waits, no
// longer than the milliseconds it is told: see stop/back-up-at-exit.ts.
import { resolveConfig } from './config/resolve-config.ts'
import { createEngine } from './engine.ts'
import { messageOf } from './errors.ts'
import { stderrLogger } from './stderr-logger.ts'

const leftMs = Number(process.argv[2])
const fallback = stderrLogger()
try {
  const config = await resolveConfig()
  const engine = createEngine({ ...config, log: config.log ?? fallback })
  await engine.close({ backup: 'if-changed', deadlineMs: Math.max(0, leftMs - performance.now()) })
} catch (error) {
  fallback.error({}, `The last backup: ${messageOf(error)}`)
  process.exitCode = 1
}
// Whatever the config file has left open must not keep the app.
process.exit()
