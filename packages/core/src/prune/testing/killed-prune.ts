// Runs in a process of its own: prunes a folder, and kills itself at one step of the deletion.
import { resolveConfig } from '../../config/resolve-config.ts'
import { createEngine } from '../../engine.ts'
import { filesystem } from '../../storage/filesystem.ts'

const [dir = '', spool = '', nowText = '', killAt = ''] = process.argv.slice(2)
const storage = filesystem({ dir })
let step = 0
const killing = {
  ...storage,
  delete: async (keys: readonly string[]) => {
    for (const key of keys) {
      step += 1
      if (step === Number(killAt)) process.kill(process.pid, 'SIGKILL')
      await storage.delete([key])
    }
  },
}
const config = await resolveConfig({
  config: {
    databases: { app: { path: `${spool}/app.db`, spool } },
    storages: { disk: killing },
    retention: { keepLast: 2, hourly: 0 },
  },
  environment: {},
})
const engine = createEngine(config, {
  timer: { now: () => Date.parse(nowText), sleepUntil: () => Promise.reject(new Error('Nothing waits here.')) },
})
const result = await engine.prune('app', { now: true })
console.log(JSON.stringify({ step, result }))
await engine.close()
