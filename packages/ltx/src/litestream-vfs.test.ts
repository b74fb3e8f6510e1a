import { createHash } from 'node:crypto'
import { createReadStream, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, test } from 'vitest'
import {
  databaseOf,
  encodeLtx,
  lockPgno,
  mergeLtx,
  mergeLtxPages,
  type PageEncoding,
  parseLtxName,
  verifyLtx,
} from './index.ts'
import { bytesOf } from './testing/files.ts'
import { hydrate, litestreamExtension, writeByLitestream, writeReplica } from './testing/litestream.ts'

const extension = litestreamExtension() ?? ''
const root = mkdtempSync(join(tmpdir(), 'ltx-litestream-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** The database file after each of some transactions: rows come, change and go, the file shrinks (VACUUM) and grows again. */
function imagesOfALife(pageSize: number, name: string): Uint8Array[] {
  const path = join(root, `life-${pageSize}-${name}.db`)
  const db = new DatabaseSync(path)
  const images: Uint8Array[] = []
  const step = (sql: string) => {
    db.exec(sql)
    images.push(new Uint8Array(readFileSync(path)))
  }
  const rows = (count: number, size: number) =>
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
     INSERT INTO items (name, body) SELECT 'item ' || i, hex(randomblob(${size})) FROM n`
  step(`PRAGMA page_size = ${pageSize}; CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, body TEXT)`)
  step(rows(300, 200))
  step('CREATE INDEX byName ON items (name)')
  for (let k = 0; k < 20; k++) step(`UPDATE items SET body = upper(body) || ${k} WHERE id % 20 = ${k}`)
  step('DELETE FROM items WHERE id > 30')
  step('VACUUM')
  step(rows(200, 300))
  for (let k = 0; k < 15; k++) step(`INSERT INTO items (name, body) VALUES ('late ${k}', zeroblob(${k * 700}))`)
  step('DELETE FROM items WHERE id % 3 = 0; VACUUM')
  step(rows(100, 100))
  db.close()
  return images
}

/** The level 0 files of a life: from the second on only pages that are new or other than before. */
async function filesOf(images: readonly Uint8Array[], pageSize: number, encodingOf: (index: number) => PageEncoding) {
  const files: Uint8Array[] = []
  let before = new Uint8Array(0)
  for (const [index, image] of images.entries()) {
    const pages = []
    for (let at = 0; at < image.length; at += pageSize) {
      const data = image.subarray(at, at + pageSize)
      if (at < before.length && Buffer.compare(data, before.subarray(at, at + pageSize)) === 0) continue
      pages.push({ pgno: at / pageSize + 1, data })
    }
    const txid = BigInt(index + 1)
    const wal = { offset: 32, size: pages.length * (24 + pageSize), salt1: 11, salt2: 22 }
    const timestampMs = 1_790_000_000_000 + index * 1000
    const info = { pageSize, commit: image.length / pageSize, minTxid: txid, maxTxid: txid, timestampMs, wal }
    const prevCommit = index === 0 ? {} : { prevCommit: before.length / pageSize }
    files.push(await bytesOf(encodeLtx(info, pages, { encoding: encodingOf(index), ...prevCommit })))
    before = new Uint8Array(image)
  }
  return files
}

const level = (number: number) => (bytes: Uint8Array) => ({ level: number, bytes })

/** Files merged in groups, as compaction does it. */
async function inGroups(files: readonly Uint8Array[], size: number, encoding: PageEncoding) {
  const merged: Uint8Array[] = []
  for (let at = 0; at < files.length; at += size) {
    merged.push(await bytesOf(await mergeLtx(files.slice(at, at + size), { encoding })))
  }
  return merged
}

describe.skipIf(extension === '')('Litestream 0.5.17 restores what we write, byte by byte', () => {
  const encodings: Record<string, (index: number) => PageEncoding> = {
    frame: () => 'frame',
    block: () => 'block',
    mixed: (index) => (index % 2 ? 'frame' : 'block'),
  }
  const cases = [512, 4096, 65536].flatMap((pageSize) => Object.keys(encodings).map((name) => ({ pageSize, name })))
  const others = [1024, 2048, 8192, 16384, 32768].map((pageSize) => ({ pageSize, name: 'mixed' }))

  test.concurrent.each([...cases, ...others])(
    'page size $pageSize, encoding $name: single files and merged ones',
    async ({ pageSize, name }) => {
      const images = imagesOfALife(pageSize, name)
      const files = await filesOf(images, pageSize, encodings[name] ?? (() => 'frame'))
      const encoding = name === 'frame' ? 'frame' : 'block'
      const half = Math.floor(files.length / 2)
      const level1 = await inGroups(files.slice(0, -2), 3, encoding)
      const level2 = await inGroups(level1.slice(0, 8), 4, encoding)
      const replicas = {
        single: files.map(level(0)),
        compacted: [...level2.map(level(2)), ...level1.slice(8).map(level(1)), ...files.slice(-2).map(level(0))],
        snapshot: [
          ...(await inGroups(files.slice(0, half), half, encoding)).map(level(9)),
          ...files.slice(half).map(level(0)),
        ],
      }
      const image = images.at(-1) ?? new Uint8Array(0)
      for (const [kind, replica] of Object.entries(replicas)) {
        const folder = join(root, `${kind}-${pageSize}-${name}`)
        writeReplica(folder, replica)
        const restored = readFileSync(
          await hydrate(extension, folder, join(root, `scratch-${kind}-${pageSize}-${name}`)),
        )
        expect(Buffer.compare(restored, image), `${kind}: ${restored.length} bytes, ${image.length} wanted`).toBe(0)
        // And ours: the same files, restored by us.
        const ours = await bytesOf(databaseOf(await mergeLtxPages(replica.map(({ bytes }) => bytes))))
        expect(Buffer.compare(ours, image)).toBe(0)
      }
    },
  )
})

describe.skipIf(extension === '')('a database of more than 1 GiB', () => {
  test('has its lock page left out by us, and is restored by Litestream and by us', async () => {
    const pageSize = 65536
    const path = join(root, 'large.db')
    const db = new DatabaseSync(path)
    db.exec(`PRAGMA page_size = ${pageSize}; PRAGMA journal_mode = off; PRAGMA synchronous = off;
      CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB);
      INSERT INTO t VALUES (1, zeroblob(600000000)), (2, zeroblob(474000000)), (3, 'the end')`)
    db.close()
    const commit = statSync(path).size / pageSize
    expect(commit).toBeGreaterThan(lockPgno(pageSize))
    async function* pages() {
      let pgno = 0
      for await (const data of createReadStream(path, { highWaterMark: pageSize })) {
        if (++pgno !== lockPgno(pageSize)) yield { pgno, data }
      }
    }
    const wal = { offset: 32, size: 0, salt1: 1, salt2: 2 }
    const info = { pageSize, commit, minTxid: 1n, maxTxid: 1n, timestampMs: 1_790_000_000_000, wal }
    const bytes = await bytesOf(encodeLtx(info, pages()))
    expect((await verifyLtx(bytes)).pageCount).toBe(commit - 1)
    const folder = join(root, 'large')
    writeReplica(folder, [{ level: 0, bytes }])
    const original = await hashOf(createReadStream(path))
    expect(await hashOf(databaseOf(await mergeLtxPages([bytes])))).toBe(original)
    rmSync(path)
    expect(await hashOf(createReadStream(await hydrate(extension, folder, join(root, 'scratch-large'))))).toBe(original)
  })

  async function hashOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
    const hash = createHash('sha1')
    for await (const chunk of chunks) hash.update(chunk)
    return hash.digest('hex')
  }
})

describe.skipIf(extension === '')('what Litestream 0.5.17 writes, we read', () => {
  const levelZero = (folder: string) => {
    const names = readdirSync(join(folder, 'ltx', '0')).filter((name) => parseLtxName(name))
    return names.sort().map((name) => ({ name, bytes: new Uint8Array(readFileSync(join(folder, 'ltx', '0', name))) }))
  }
  const rows = (from: number, to: number) =>
    `WITH RECURSIVE n (i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${to})
     INSERT INTO t SELECT i, 'row ' || i || hex(randomblob(30)) FROM n;`

  function rowsIn(bytes: Uint8Array): unknown {
    const path = join(root, 'restored.db')
    writeFileSync(path, bytes)
    const db = new DatabaseSync(path)
    try {
      return db
        .prepare('SELECT (SELECT integrity_check FROM pragma_integrity_check) AS check_, count(*) AS rows_ FROM t')
        .get()
    } finally {
      db.close()
    }
  }

  test('a database that it began: its first file', async () => {
    const folder = join(root, 'theirs')
    const sql = `BEGIN; CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT); ${rows(1, 2000)} COMMIT`
    await writeByLitestream(extension, folder, join(root, 'scratch-theirs'), sql)
    const files = levelZero(folder)
    expect(files).toHaveLength(1)
    for (const { name, bytes } of files) expect((await verifyLtx(bytes, { name })).header.noChecksum).toBe(true)
    const restored = await bytesOf(databaseOf(await mergeLtxPages(files.map(({ bytes }) => bytes))))
    expect(rowsIn(restored)).toEqual({ check_: 'ok', rows_: 2000 })
    const theirs = readFileSync(await hydrate(extension, folder, join(root, 'scratch-theirs-hydrated')))
    expect(Buffer.compare(restored, theirs)).toBe(0)
  })

  test.concurrent.each([512, 8192, 65536])(
    'a chain that we began and it went on with, page size %i',
    async (pageSize) => {
      const path = join(root, `begun-${pageSize}.db`)
      const db = new DatabaseSync(path)
      db.exec(`PRAGMA page_size = ${pageSize}; CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT); ${rows(1, 500)}`)
      db.close()
      const folder = join(root, `shared-${pageSize}`)
      const [first] = await filesOf([new Uint8Array(readFileSync(path))], pageSize, () => 'frame')
      writeReplica(folder, first ? [level(0)(first)] : [])
      await writeByLitestream(extension, folder, join(root, `scratch-shared-${pageSize}-1`), rows(1000, 3000))
      await writeByLitestream(
        extension,
        folder,
        join(root, `scratch-shared-${pageSize}-2`),
        'DELETE FROM t WHERE a < 1500',
      )
      const files = levelZero(folder)
      expect(files.map(({ name }) => parseLtxName(name)?.maxTxid)).toEqual([1n, 2n, 3n])
      for (const { name, bytes } of files) expect((await verifyLtx(bytes, { name })).header.pageSize).toBe(pageSize)
      const restored = await bytesOf(databaseOf(await mergeLtxPages(files.map(({ bytes }) => bytes))))
      const theirs = readFileSync(await hydrate(extension, folder, join(root, `scratch-shared-${pageSize}-hydrated`)))
      expect(Buffer.compare(restored, theirs)).toBe(0)
    },
  )
})
