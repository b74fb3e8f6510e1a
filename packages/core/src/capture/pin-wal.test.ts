import { fstatSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { attachLive, type LiveDatabase } from './live-database.ts'
import { holdsAll, pinWal } from './pin-wal.ts'
import { openWalImage } from './read-wal-image.ts'
import { tempDir } from './testing/fixture.ts'
import { readBackfilled, readWalIndex } from './wal-files.ts'

const { signal } = new AbortController()

/** One copy of SQLite for both sides, since all of it runs in this process. */
function start(): { app: DatabaseSync; live: LiveDatabase } {
  const path = join(tempDir(), 'app.db')
  const app = new DatabaseSync(path)
  app.exec('PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(a); INSERT INTO t VALUES(1)')
  const live = attachLive(path)
  onTestFinished(() => {
    live.detach()
    app.close()
  })
  return { app, live }
}

test('a pin holds its state while the app commits and checkpoints', async () => {
  const { app, live } = start()
  const pin = await pinWal(live, live.connect(), signal)
  if (pin === undefined) throw new Error('not in WAL mode')
  const image = await openWalImage(live, pin.index, { pageSize: 4096, isBackfilled: pin.isBackfilled, signal })
  if (image === undefined) throw new Error('no image')
  const read = async (): Promise<Buffer> => {
    const bytes = Buffer.alloc(image.pageCount * 4096)
    await image.read(bytes, 1)
    return bytes
  }
  const before = await read()
  for (let i = 0; i < 50; i++) {
    app.exec('INSERT INTO t VALUES(randomblob(3000)); UPDATE t SET a = random() WHERE rowid = 1')
    app.prepare(`PRAGMA wal_checkpoint(${['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE'][i % 4]})`).get()
  }
  expect((await read()).equals(before)).toBe(true)
  image.checkUndisturbed()
  image.close()
  pin.release()
})

test('frames counted as checkpointed do not mean the file has them, when their pages have newer frames', async () => {
  const { app, live } = start()
  const pin = await pinWal(live, live.connect(), signal)
  if (pin === undefined) throw new Error('not in WAL mode')
  app.exec('UPDATE t SET a = 2')
  app.prepare('PRAGMA wal_checkpoint(PASSIVE)').get()
  const again = readWalIndex(live)
  if (again === undefined) throw new Error('no wal-index')
  // SQLite says that all frames of the pin are done, but the one page of the table never reached the file.
  expect(readBackfilled(live)).toBe(pin.index.mxFrame)
  expect(fstatSync(live.fd).size).toBeLessThan(pin.index.nPage * 4096)
  expect(holdsAll(pin.index, readBackfilled(live), again)).toBe(false)
  pin.release()
})

test('a log that is all in the file is not needed', async () => {
  const { app, live } = start()
  app.prepare('PRAGMA wal_checkpoint(PASSIVE)').get()
  const pin = await pinWal(live, live.connect(), signal)
  expect(pin?.isBackfilled).toBe(true)
  pin?.release()
})

test('a database in rollback mode is not pinned', async () => {
  const { app, live } = start()
  app.exec('PRAGMA journal_mode = DELETE')
  expect(await pinWal(live, live.connect(), signal)).toBeUndefined()
})
