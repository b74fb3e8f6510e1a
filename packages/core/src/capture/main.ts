// The capture process: the only one that opens a live database. Started by client.ts.
import { giveWay } from '../rpc/give-way.ts'
import { type HandlerContext, type Handlers, serve } from '../rpc/serve.ts'
import { type FolderLock, lockFolder } from '../spool/lock-folder.ts'
import { captureBackup } from './backup.ts'
import { inspect } from './inspect.ts'
import { type CaptureMethods, isSteppingBack } from './protocol.ts'
import { publish } from './publish.ts'
import { recoverPublish } from './publish-intent.ts'
import { runtimeProblem, sqliteVersion } from './runtime.ts'

const sqlite = sqliteVersion()
const problem = runtimeProblem(process.platform, sqlite)
const locks = new Map<string, FolderLock>()
const LOCKED = 'Another backup or restore of this database is running.'
const running = new Set<Promise<unknown>>()

// A parent that is gone aborts the calls; they remove their half-written files before this process leaves.
const LEAVE_WITHIN_MS = 3_000

const checked =
  <P, R, E>(handler: (params: P, context: HandlerContext<E>) => Promise<R> | R) =>
  async (params: P, context: HandlerContext<E>): Promise<R> => {
    if (problem !== undefined) throw problem
    const work = Promise.resolve(handler(params, context))
    running.add(work)
    try {
      return await work
    } finally {
      running.delete(work)
    }
  }

const handlers: Handlers<CaptureMethods> = {
  hello: checked(() => ({ sqlite, node: process.versions.node, pid: process.pid })),
  lock: checked(async ({ spoolDir, waitMs }, { signal }) => {
    locks.set(spoolDir, await lockFolder(spoolDir, { waitMs, signal, busy: LOCKED }))
    return undefined
  }),
  unlock: checked(({ spoolDir }) => {
    locks.get(spoolDir)?.release()
    locks.delete(spoolDir)
    return undefined
  }),
  inspect: checked(({ path }, { signal }) => inspect(path, signal)),
  backup: checked((params, { signal, emit }) =>
    captureBackup(params, {
      signal,
      emit(event) {
        emit(event)
        // client.ts takes another to lock, pin or publish with.
        if (isSteppingBack(event)) void giveWay('all')
      },
    }),
  ),
  publish: checked(publish),
  recoverPublish: checked(async ({ spoolDir, target }) => {
    const recovered = await recoverPublish(spoolDir, target)
    return recovered === undefined ? {} : { recovered }
  }),
}

void giveWay('pool')

serve<CaptureMethods>(handlers, {
  async onLeave() {
    const timer = new Promise((resolve) => setTimeout(resolve, LEAVE_WITHIN_MS))
    await Promise.race([Promise.allSettled(running), timer])
  },
})
