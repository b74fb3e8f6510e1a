import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isTempNameFor } from '../spool/durable.ts'
import { intentFile } from './intent.ts'

// A crash loop leaves one each time, as large as the database: the last ones will do.
const MAX_COPIES = 2

/** Removes images, and a half-written intent, that a killed guard left. To be called with the guard's lock held and no intent. */
export async function removeImages(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    const isImage = /\.image\.body(?:-wal|-shm|\.raw)?$/.test(name)
    if (isImage || isTempNameFor(intentFile(dir), name)) await rm(join(dir, name), { force: true })
  }
}

/** Of what was rolled back and kept on local disk, all but the newest. */
export async function removeOldCopies(dir: string): Promise<void> {
  const copies = (await readdir(dir)).filter((name) => /^rolled-back-.*\.db$/.test(name)).sort()
  for (const name of copies.slice(0, -MAX_COPIES)) await rm(join(dir, name), { force: true })
}
