import { fileURLToPath } from 'node:url'
import { hostSuite } from '@sqlite-backup/core/testing'

const app = fileURLToPath(new URL('./testing/app.ts', import.meta.url))

hostSuite({ name: 'express with gracefulShutdown()', command: () => [process.execPath, app] })
