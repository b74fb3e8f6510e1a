import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databaseFolder } from '../catalog/keys.ts'
import { createMachine, type Machine, type MachineOptions } from './testing/machine.ts'

export interface HostSuiteOptions {
  /** What the run calls this host. */
  readonly name: string
  /**
   * The command line that starts the app under this host. `app` is a plain app, written for the suite, that knows nothing
   * of backups; a host that is part of the app starts one of its own that does the same.
   */
  readonly command: (app: string) => readonly string[]
}

/**
 * Registers with vitest what every way to run an app must do at its start and its stop: the boot table, row by row, with
 * real processes and files.
 *
 * @example
 * hostSuite({ name: 'boot', command: (app) => [process.execPath, '--import', '@sqlite-backup/core/boot', app] })
 */
export function hostSuite({ name, command }: HostSuiteOptions): void {
  describe(`host suite: ${name}`, { timeout: 120_000 }, () => {
    let root = ''
    let count = 0

    beforeAll(() => {
      root = mkdtempSync(join(tmpdir(), 'host-suite-'))
    })
    afterAll(() => {
      rmSync(root, { recursive: true, force: true })
    })

    const machine = (options: Partial<MachineOptions> = {}): Machine =>
      createMachine({ root, name: `machine-${++count}`, command, ...options })

    /** One life of the app, from start to SIGTERM. */
    async function live(on: Machine, labels: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
      const app = await on.start(env)
      for (const label of labels) await app.add(label)
      const rows = await app.rows()
      const end = await app.stop()
      return { rows, end, output: app.output() }
    }

    const sharing = (storage: Machine): Partial<MachineOptions> => ({
      storage: storage.storage.replace(/^.*\/(.*)-storage$/, '$1'),
    })
    const tiersOf = async (on: Machine): Promise<readonly string[]> => (await on.backups()).map(({ tier }) => tier)

    describe('with a database that is there', () => {
      it('starts with it', async () => {
        const here = machine()
        await live(here, ['one'])
        expect((await live(here)).rows).toEqual(['one'])
      })

      it.each(['STORAGE_DENIED', 'hang'])('starts though the storage cannot be reached (%s)', async (fault) => {
        const here = machine()
        await live(here, ['one'])
        const app = await here.start({ FAULT: fault, SQLITE_BACKUP_STOP_DEADLINE: '2s' })
        expect(await app.rows()).toEqual(['one'])
        if (fault !== 'hang') await app.waitFor(/store cannot be reached/)
        await app.stop()
      })

      it('starts with it and says so when the storage has something newer', async () => {
        const old = machine()
        await live(old, ['one'])
        await live(machine(sharing(old)), ['two'])
        const app = await old.start()
        expect(await app.rows()).toEqual(['one'])
        await app.waitFor(/store holds \d{8}T\d{6}Z-\w+/)
        await app.stop()
      })

      it('catches up when told to and when nothing is lost by it', async () => {
        const old = machine()
        await live(old, ['one'])
        await live(machine(sharing(old)), ['two'])
        expect((await live(old, [], { SQLITE_BACKUP_RESTORE_AT_START: 'if-behind' })).rows).toEqual(['one', 'two'])
      })
    })

    describe('with a database that is missing', () => {
      it.each(['absent', '0 bytes'])('restores the newest backup before the app opens it (%s)', async (state) => {
        const first = machine()
        await live(first, ['one', 'two'])
        const fresh = machine(sharing(first))
        if (state !== 'absent') {
          mkdirSync(join(fresh.dir, 'data'))
          writeFileSync(fresh.database, '')
        }
        const { rows, output } = await live(fresh)
        expect(rows).toEqual(['one', 'two'])
        expect(output).toMatch(/app was restored from \d{8}T\d{6}Z-\w+ in store/)
        expect(output.indexOf('was restored')).toBeLessThan(output.indexOf('opened'))
      })

      it('waits for a slow storage as long as it takes', async () => {
        const first = machine()
        await live(first, ['one'])
        const fresh = machine(sharing(first))
        expect((await live(fresh, [], { FAULT: 'slow:list get' })).rows).toEqual(['one'])
      })

      it('restores an older backup, and says so, when the newest is damaged', async () => {
        const first = machine()
        await live(first, ['good'])
        await live(first, ['bad'])
        const folder = join(first.storage, databaseFolder('app'), 'backups', 'shutdown')
        const newest = readdirSync(folder)
          .filter((file) => file.endsWith('.db.zst'))
          .sort()
          .at(-1)
        const bytes = readFileSync(join(folder, newest ?? ''))
        bytes.writeUInt32LE(0x0bad0bad, Math.floor(bytes.length / 2))
        writeFileSync(join(folder, newest ?? ''), bytes)
        const { rows, output } = await live(machine(sharing(first)))
        expect(rows).toEqual(['good'])
        expect(output).toContain('could not be restored')
      })

      it('starts empty, and names what the storage holds instead, when there is no backup', async () => {
        const here = machine()
        mkdirSync(join(here.storage, 'other/catalog/2026/11/20'), { recursive: true })
        writeFileSync(
          join(here.storage, 'other/catalog/2026/11/20/20261120T030000.000Z-0123456789-manual-1.json'),
          '{}',
        )
        const { rows, output } = await live(here)
        expect(rows).toEqual([])
        expect(output).toContain('the app starts with an empty database')
        expect(output).toContain('store holds backups of other')
      })

      it('refuses to start empty when told to', async () => {
        const here = machine()
        const app = here.launch({ SQLITE_BACKUP_ON_MISSING_BACKUP: 'fail' })
        expect(await app.ended).toBeGreaterThan(0)
        expect(app.output()).toContain('There is no backup of')
        expect(app.output()).not.toContain('opened')
      })

      it.each(['STORAGE_DENIED', 'STORAGE_MISSING', 'STORAGE_FAILED', 'UNAVAILABLE'])(
        'refuses to start, and uploads nothing, when the storage does not say that there is none (%s)',
        async (fault) => {
          const first = machine()
          await live(first, ['one'])
          const before = await first.backups()
          const fresh = machine(sharing(first))
          const app = fresh.launch({ FAULT: `${fault}:list get head` })
          expect(await app.ended).toBeGreaterThan(0)
          expect(app.output()).toContain(`The storage says ${fault}`)
          expect(app.output()).not.toContain('opened')
          expect(statSync(fresh.database, { throwIfNoEntry: false })).toBeUndefined()
          expect(await first.backups()).toEqual(before)
        },
      )
    })

    it('starts without a storage, and says so', async () => {
      const here = machine()
      const { rows, output } = await live(here, ['one'], { NO_STORAGE: '1' })
      expect(rows).toEqual(['one'])
      expect(output).toContain('No storage is configured')
    })

    it('does nothing at all with SQLITE_BACKUP=off', async () => {
      const here = machine()
      const { rows, output } = await live(here, ['one'], { SQLITE_BACKUP: 'off' })
      expect(rows).toEqual(['one'])
      expect(output).toContain('SQLITE_BACKUP=off')
      expect(readdirSync(join(here.dir, 'data')).filter((file) => !file.startsWith('app.db'))).toEqual([])
      expect(await here.backups()).toEqual([])
    })

    it('restores what SQLITE_BACKUP_RESTORE names, once', async () => {
      const here = machine()
      for (const label of ['one', 'two', 'three']) await live(here, [label])
      const [, second] = await here.backups()
      const env = { SQLITE_BACKUP_RESTORE: second?.id ?? '' }
      expect((await live(here, ['four'], env)).rows).toEqual(['one', 'two', 'four'])
      expect((await live(here, [], env)).rows).toEqual(['one', 'two', 'four'])
    })

    describe('told to stop', () => {
      it.each(['SIGTERM', 'SIGINT'] as const)('makes a last backup on %s', async (signal) => {
        const here = machine()
        const app = await here.start()
        await app.add('one')
        await app.stop(signal)
        expect(await tiersOf(here)).toEqual(['shutdown'])
        expect((await live(machine(sharing(here)))).rows).toEqual(['one'])
      })

      it('makes none when nothing has changed, also since a restore', async () => {
        const here = machine()
        await live(here, ['one'])
        await live(here)
        expect((await live(machine(sharing(here)))).rows).toEqual(['one'])
        expect(await tiersOf(here)).toEqual(['shutdown'])
      })

      it('does not wait for a storage that hangs, says what is left behind, and stores it at the next start', async () => {
        const here = machine()
        const { output } = await live(here, ['one'], { FAULT: 'hang:put', SQLITE_BACKUP_STOP_DEADLINE: '3s' })
        expect(output).toContain('It waits in the spool')
        expect(await here.backups()).toEqual([])
        const app = await here.start()
        await app.waitFor(/was kept in the spool and is stored now/)
        expect(await tiersOf(here)).toEqual(['shutdown'])
        await app.stop()
      })

      it('shows no secret on the way, though it uses one', async () => {
        const secret = 'correct-horse-battery-staple'
        const env = { SQLITE_BACKUP_PASSPHRASE: secret, SQLITE_BACKUP_PROFILE: 'small' }
        const here = machine()
        const first = await live(here, ['one'], env)
        const second = await live(machine(sharing(here)), [], env)
        expect(second.rows).toEqual(['one'])
        expect(first.output + second.output).not.toContain(secret)
      })
    })

    it('comes back from kill -9 with what was there', async () => {
      const here = machine()
      const app = await here.start()
      await app.add('one')
      expect(await app.stop('SIGKILL')).toBe('SIGKILL')
      expect((await live(here)).rows).toEqual(['one'])
    })

    it('restores once when four start at the same time on one volume', async () => {
      const first = machine()
      await live(first, ['one'])
      const volume = machine(sharing(first))
      const apps = await Promise.all(Array.from({ length: 4 }, () => volume.start()))
      for (const app of apps) expect(await app.rows()).toEqual(['one'])
      expect(apps.filter((app) => app.output().includes('was restored from'))).toHaveLength(1)
      await apps[0]?.add('two')
      await Promise.all(apps.map((app) => app.stop()))
      expect((await live(machine(sharing(first)))).rows).toEqual(['one', 'two'])
    })

    it('in a rolling deploy where the old container closes last, shows the fork and loses neither side', async () => {
      const first = machine()
      await live(first, ['common'])
      const old = await first.start()
      const young = await machine(sharing(first)).start()
      await young.add('from the new one')
      await young.stop()
      await old.add('from the old one')
      await old.stop()
      const { rows, output } = await live(machine(sharing(first)))
      expect(rows).toEqual(['common', 'from the old one'])
      expect(output).toContain('The history of app has forked')
      const [, other] = /sqlite-backup restore (\S+) -o other\.db/.exec(output) ?? []
      const rescued = await live(machine(sharing(first)), [], { SQLITE_BACKUP_RESTORE: other ?? '' })
      expect(rescued.rows).toEqual(['common', 'from the new one'])
    })
  })
}
