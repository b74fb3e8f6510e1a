import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { missingBinaries } from '../storage/testing/missing-binaries.ts'
import { type KeyPair, makeKeyPair, pack, refusal, samplePlain, unpack } from './testing-bodies.ts'

const maxBuffer = 256 * 1024 * 1024
const plain = samplePlain(300_000)
/** More than one frame in one piece: such a body is streamed. */
const large = Buffer.alloc(20_000_000, samplePlain(1_000_000))

let dir: string
let keyPair: KeyPair
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'codec-interop-'))
  keyPair = await makeKeyPair()
  writeFileSync(join(dir, 'identity'), `# a comment\n${keyPair.identity}\n`)
})
afterAll(() => rmSync(dir, { recursive: true }))

function run(command: string, args: readonly string[], input?: Uint8Array): Buffer {
  return execFileSync(command, args, { input, cwd: dir, maxBuffer, stdio: ['pipe', 'pipe', 'ignore'] })
}

function file(name: string, bytes: Uint8Array): string {
  writeFileSync(join(dir, name), bytes)
  return name
}

describe.skipIf(missingBinaries('zstd').length > 0)('the zstd CLI', () => {
  it('unpacks what we pack', async () => {
    for (const level of [1, 3, 19]) {
      const { body } = await pack(plain, { level, frameSizeBytes: 65_536 })
      expect(run('zstd', ['-d', '-c', file('ours.zst', body)]).equals(plain)).toBe(true)
    }
    const empty = await pack(Buffer.alloc(0))
    expect(run('zstd', ['-d', '-c', file('empty.zst', empty.body)])).toHaveLength(0)
  })

  it('counts our frames, and the seek table as one to skip', async () => {
    const { body } = await pack(plain, { frameSizeBytes: 65_536 })
    const listed = run('zstd', ['-l', '-v', file('ours.zst', body)]).toString()
    expect(listed).toMatch(/Number of Frames: 6|# Zstandard Frames: 5/)
    expect(listed).toMatch(/# Skippable Frames: 1/)
  })

  it('packs what we unpack: any level, window, with and without checksum and size', async () => {
    const source = file('large.db', large)
    const flags = [['-1'], ['-19', '-T2'], ['--long=27'], ['--no-check'], ['-3', '--format=zstd', '-B1MiB', '-T2']]
    for (const options of flags) {
      const body = run('zstd', [...options, '-q', '-c', source])
      expect((await unpack(body, { foreign: true }, 65_536)).equals(large), options.join(' ')).toBe(true)
    }
    const unsized = run('zstd', ['-q', '-c'], large)
    expect((await unpack(unsized, { foreign: true }, 65_536)).equals(large)).toBe(true)
    const small = run('zstd', ['-q', '-c', file('small.db', plain)])
    expect((await unpack(small, { foreign: true })).equals(plain)).toBe(true)
    const joined = Buffer.concat([small, unsized, small])
    expect((await unpack(joined, { foreign: true })).equals(Buffer.concat([plain, large, plain]))).toBe(true)
  })

  it('may have packed a body anew: the image is then held against its digest, and a cut is still seen', async () => {
    const { plain: promised } = await pack(large, { frameSizeBytes: 1_000_000 })
    const body = run('zstd', ['-q', '-c', file('large.db', large)])
    const options = { expect: { plain: promised } }
    expect((await unpack(body, options, 65_536)).equals(large)).toBe(true)
    expect(await refusal(body)).toMatch(/^BODY_(TRUNCATED|CORRUPT)$/)
    for (const size of [10, 70_000, body.length - 5, body.length - 4, body.length - 1]) {
      expect(await refusal(body.subarray(0, size), options), `${size} bytes`).toBe('BODY_TRUNCATED')
    }
    const changed = Buffer.from(body)
    changed.writeUInt8(body.readUInt8(body.length - 2) ^ 1, body.length - 2)
    expect(await refusal(changed, options)).toBe('BODY_CORRUPT')
  })
})

describe.skipIf(missingBinaries('gzip', 'gunzip').length > 0)('the gzip CLI', () => {
  it('unpacks what we pack', async () => {
    for (const level of [1, 6, 9]) {
      const { body } = await pack(plain, { compression: 'gz', level, frameSizeBytes: 65_536 })
      expect(run('gunzip', ['-c'], body).equals(plain)).toBe(true)
    }
    const empty = await pack(Buffer.alloc(0), { compression: 'gz' })
    expect(run('gunzip', ['-c'], empty.body)).toHaveLength(0)
  })

  it('packs what we unpack, several members as a foreign body', async () => {
    const body = run('gzip', ['-c', file('named.db', plain)])
    expect((await unpack(body, { compression: 'gz' })).equals(plain)).toBe(true)
    const two = Buffer.concat([body, body])
    expect((await unpack(two, { compression: 'gz', foreign: true })).equals(Buffer.concat([plain, plain]))).toBe(true)
    expect(await refusal(two, { compression: 'gz' })).toBe('BODY_TOO_LONG')
  })
})

describe.skipIf(missingBinaries('age').length > 0)('the age CLI', () => {
  const sizes = [0, 1, 65_535, 65_536, 65_537, 300_000]

  it('decrypts what we encrypt to recipients, each of them', async () => {
    const other = await makeKeyPair()
    for (const size of sizes) {
      const encryption = { recipients: [other.recipient, keyPair.recipient] }
      const { body } = await pack(plain.subarray(0, size), { compression: 'none', encryption })
      const decrypted = run('age', ['-d', '-i', 'identity', file('ours.age', body)])
      expect(decrypted.equals(plain.subarray(0, size)), `${size} bytes`).toBe(true)
    }
  })

  it('encrypts to a recipient what we decrypt', async () => {
    const keys = { identities: [keyPair.identity] }
    for (const size of sizes) {
      const body = run('age', ['-r', keyPair.recipient], plain.subarray(0, size))
      const decrypted = await unpack(body, { compression: 'none', encrypted: true, keys })
      expect(decrypted.equals(plain.subarray(0, size)), `${size} bytes`).toBe(true)
    }
  })

  it('and zstd after it open a body by hand', async () => {
    const { body } = await pack(plain, { encryption: { recipients: [keyPair.recipient] } })
    const decrypted = run('age', ['-d', '-i', 'identity', file('ours.db.zst.age', body)])
    expect(run('zstd', ['-d', '-c'], decrypted).equals(plain)).toBe(true)
  })

  it('armors a file, which we refuse with a recipe that works', async () => {
    const keys = { identities: [keyPair.identity] }
    file('armored.age', run('age', ['-a', '-r', keyPair.recipient], plain))
    const armored = readFileSync(join(dir, 'armored.age'))
    const failure = await unpack(armored, { compression: 'none', encrypted: true, keys }).catch(
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({ code: 'BODY_UNSUPPORTED', hint: expect.stringContaining('base64 -d') })
    const recipe = String((failure as { hint?: string }).hint)
      .replace(/^.*: /, '')
      .replace('FILE', 'armored.age')
    const body = run('sh', ['-c', recipe])
    expect((await unpack(body, { compression: 'none', encrypted: true, keys })).equals(plain)).toBe(true)
  })

  // age reads passphrases from the terminal only; util-linux's `script` gives it one.
  describe.skipIf(process.platform !== 'linux' || missingBinaries('script').length > 0)('with a passphrase', () => {
    const passphrase = 'pass phrase with spaces'
    const inTerminal = (command: string, typed: string): void => {
      execFileSync('sh', ['-c', `(sleep 0.5; ${typed} sleep 3) | script -qec '${command}' /dev/null`], {
        cwd: dir,
        stdio: 'ignore',
      })
    }

    it('decrypts what we encrypt', async () => {
      const { body } = await pack(plain, { compression: 'none', encryption: { passphrase, workFactor: 12 } })
      file('ours.age', body)
      inTerminal('age -d -o opened ours.age', `printf "${passphrase}\\n";`)
      expect(readFileSync(join(dir, 'opened')).equals(plain)).toBe(true)
    })

    it('encrypts what we decrypt', async () => {
      file('plain.db', plain)
      inTerminal('age -p -o theirs.age plain.db', `printf "${passphrase}\\n"; sleep 0.5; printf "${passphrase}\\n";`)
      const body = readFileSync(join(dir, 'theirs.age'))
      const options = { compression: 'none', encrypted: true } as const
      expect((await unpack(body, { ...options, keys: { passphrase } })).equals(plain)).toBe(true)
      expect(await refusal(body, { ...options, keys: { passphrase: 'another' } })).toBe('DECRYPTION_FAILED')
    })
  })
})
