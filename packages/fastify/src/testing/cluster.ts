// Four workers of a cluster, each the app of the host suite with the plugin in it.
import cluster from 'node:cluster'
import { fileURLToPath } from 'node:url'

cluster.setupPrimary({ exec: fileURLToPath(new URL('./app.ts', import.meta.url)) })
const workers = Array.from({ length: 4 }, () => cluster.fork())
process.on('SIGTERM', () => {
  for (const worker of workers) worker.process.kill('SIGTERM')
})
