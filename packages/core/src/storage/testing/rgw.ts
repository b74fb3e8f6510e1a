import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { missingBinaries } from './missing-binaries.ts'

const run = promisify(execFile)
const fsid = '11111111-2222-3333-4444-555555555555'

export interface RgwOptions {
  /** More lines for the `[client]` section of ceph.conf, like `rgw_lc_debug_interval = 2`. */
  readonly config?: readonly string[]
  /** Also listen with TLS, under a certificate made for the occasion. @default false */
  readonly tls?: boolean
}

/** A throw-away S3 server. */
export interface Rgw {
  readonly endpoint: string
  /** The endpoint with TLS, when asked for. Trust it with {@link Rgw.ca}. */
  readonly tlsEndpoint: string | undefined
  /** The certificate as PEM text, and as a file for `NODE_EXTRA_CA_CERTS`. */
  readonly ca: string | undefined
  readonly caFile: string | undefined
  readonly region: 'us-east-1'
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly port: number
  readonly tlsPort: number | undefined
  /** Runs `radosgw-admin`, like `admin('user', 'suspend', '--uid', 'test')`; returns its stdout. */
  admin(...args: readonly string[]): Promise<string>
  /** From now on the store takes requests and answers none. */
  hang(): void
  /** Ends {@link Rgw.hang}. */
  unhang(): void
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** True when Ceph's programs are here. Otherwise says so loudly, or throws in CI. */
export function hasRgw(): boolean {
  const needed = ['ceph', 'ceph-mon', 'ceph-osd', 'ceph-authtool', 'monmaptool', 'radosgw', 'radosgw-admin']
  return missingBinaries(...needed, 'openssl').length === 0
}

/**
 * Starts Ceph's S3 gateway on loopback: a monitor, an object store in memory and radosgw, as any user and without systemd.
 * Takes about two seconds. It goes away with {@link Rgw.stop}, and also when this process dies.
 *
 * @example
 * const rgw = await startRgw({ tls: true })
 * afterAll(() => rgw.stop())
 */
export async function startRgw(options: RgwOptions = {}): Promise<Rgw> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryStart(options)
    } catch (error) {
      // Another process may have taken a port between our looking and Ceph's binding.
      if (attempt === 3) throw error
    }
  }
}

async function tryStart({ config = [], tls = false }: RgwOptions): Promise<Rgw> {
  const dir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sqlite-backup-rgw-'))
  const guard = startGuard(dir)
  try {
    const [monV1, monV2, port, tlsPort] = await freePorts(4)
    const env = { ...process.env, CEPH_CONF: join(dir, 'ceph.conf') }
    const ceph = (file: string, ...args: readonly string[]) => run(file, args, { env, timeout: 60_000 })
    const daemon = (file: string, ...args: readonly string[]) => startDaemon(dir, env, file, args)

    const certificate = tls ? await makeCertificate(dir) : undefined
    const frontend = [
      `beast endpoint=127.0.0.1:${port}`,
      ...(certificate === undefined
        ? []
        : [
            `ssl_endpoint=127.0.0.1:${tlsPort} ssl_certificate=${certificate.file} ssl_private_key=${certificate.keyFile}`,
          ]),
    ].join(' ')
    writeFileSync(env.CEPH_CONF, cephConf({ dir, monV1, monV2, frontend, config }))

    for (const folder of ['mon', 'osd', 'run', 'log']) mkdirSync(join(dir, folder))
    await makeKeyring(join(dir, 'keyring'), ceph)
    const monmap = join(dir, 'monmap')
    const monAddress = `[v2:127.0.0.1:${monV2},v1:127.0.0.1:${monV1}]`
    await ceph('monmaptool', '--create', '--fsid', fsid, '--addv', 'a', monAddress, monmap)
    await ceph('ceph-mon', '-i', 'a', '--mkfs', '--monmap', monmap, '--keyring', join(dir, 'keyring'))
    daemon('ceph-mon', '-i', 'a', '-f')

    const osdId = randomUUID()
    await ceph('ceph', 'osd', 'new', osdId)
    await ceph('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osdId)
    const osd = daemon('ceph-osd', '-i', '0', '-f')

    const user = { accessKeyId: 'test', secretAccessKey: 'testing' }
    const keys = ['--access-key', user.accessKeyId, '--secret', user.secretAccessKey]
    const caps = ['--caps', 'roles=*;oidc-provider=*']
    await ceph('radosgw-admin', 'user', 'create', '--uid', 'test', '--display-name', 'test', ...keys, ...caps)
    const gateway = daemon('radosgw', '-n', 'client.rgw', '-f')
    await untilAnswering(`http://127.0.0.1:${port}/`, gateway)

    const stop = () => stopGuard(guard)
    return {
      endpoint: `http://127.0.0.1:${port}`,
      tlsEndpoint: certificate && `https://localhost:${tlsPort}`,
      ca: certificate && readFileSync(certificate.file, 'utf8'),
      caFile: certificate?.file,
      region: 'us-east-1',
      ...user,
      port,
      tlsPort: certificate && tlsPort,
      admin: async (...args) => (await ceph('radosgw-admin', ...args)).stdout,
      hang: () => void osd.kill('SIGSTOP'),
      unhang: () => void osd.kill('SIGCONT'),
      stop,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stopGuard(guard)
    throw error
  }
}

/**
 * A process that waits for our end of a pipe to close and then kills the daemons and removes their folder,
 * so that nothing stays behind even after a kill -9 of the test run.
 */
function startGuard(dir: string): ChildProcess {
  const script = 'cat >/dev/null; [ -f "$0/pids" ] && kill -9 $(cat "$0/pids"); rm -rf "$0"'
  const guard = spawn('sh', ['-c', script, dir], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  guard.unref()
  return guard
}

async function stopGuard(guard: ChildProcess): Promise<void> {
  if (guard.exitCode !== null) return
  guard.ref()
  const gone = new Promise((resolve) => guard.once('exit', resolve))
  guard.stdin?.end()
  await gone
}

function startDaemon(dir: string, env: NodeJS.ProcessEnv, file: string, args: readonly string[]): ChildProcess {
  const log = openSync(join(dir, 'log', `${file}.out`), 'a')
  const child = spawn(file, args, { env, stdio: ['ignore', log, log] })
  closeSync(log)
  child.unref()
  if (child.pid !== undefined) appendFileSync(join(dir, 'pids'), `${child.pid}\n`)
  return child
}

async function makeKeyring(
  file: string,
  ceph: (file: string, ...args: readonly string[]) => Promise<unknown>,
): Promise<void> {
  await ceph('ceph-authtool', '-C', file, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *')
  const all = ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *', '--cap', 'mgr', 'allow *']
  for (const name of ['client.admin', 'osd.0', 'client.rgw']) {
    await ceph('ceph-authtool', file, '--gen-key', '-n', name, ...all)
  }
}

async function makeCertificate(dir: string): Promise<{ readonly file: string; readonly keyFile: string }> {
  const file = join(dir, 'certificate.pem')
  const keyFile = join(dir, 'key.pem')
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const names = [
    '-subj',
    '/CN=localhost',
    '-addext',
    'subjectAltName=DNS:localhost,DNS:s3.localhost,DNS:*.s3.localhost,IP:127.0.0.1',
  ]
  await run('openssl', [...request, ...names, '-keyout', keyFile, '-out', file])
  return { file, keyFile }
}

async function untilAnswering(url: string, gateway: ChildProcess): Promise<void> {
  const giveUp = AbortSignal.timeout(60_000)
  while (gateway.exitCode === null && gateway.signalCode === null) {
    const status = await fetch(url, { signal: giveUp }).then(
      (response) => response.status,
      (error: unknown) => {
        if (giveUp.aborted) throw error
        return undefined
      },
    )
    if (status === 200) return
    await sleep(50)
  }
  throw new Error(`radosgw ended with ${gateway.exitCode ?? gateway.signalCode} instead of answering at ${url}.`)
}

async function freePorts(count: 4): Promise<readonly [number, number, number, number]>
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports: number[] = []
  for (const server of servers) {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
    const address = server.address()
    if (address !== null && typeof address === 'object') ports.push(address.port)
  }
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

interface CephConf {
  readonly dir: string
  readonly monV1: number
  readonly monV2: number
  readonly frontend: string
  readonly config: readonly string[]
}

// Without the paxos lines making the pools takes 9 s; with `auth = none` radosgw never connects.
function cephConf({ dir, monV1, monV2, frontend, config }: CephConf): string {
  return `[global]
fsid = ${fsid}
mon_host = [v2:127.0.0.1:${monV2},v1:127.0.0.1:${monV1}]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
run_dir = ${dir}/run
admin_socket = ${dir}/run/$name.$pid.asok
log_file = ${dir}/log/$name.log
crash_dir = ${dir}/log
keyring = ${dir}/keyring
osd_crush_chooseleaf_type = 0
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
[mon]
mon_data = ${dir}/mon
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
mon_tick_interval = 1
[osd]
osd_data = ${dir}/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_max_object_name_len = 2048
[client]
rgw_frontends = ${frontend}
rgw_enable_apis = s3, sts, iam, admin
rgw_crypt_require_ssl = false
rgw_crypt_s3_kms_backend = testing
rgw_crypt_s3_kms_encryption_keys = key-1=${Buffer.alloc(32, 'K').toString('base64')}
rgw_override_bucket_index_max_shards = 1
rgw_thread_pool_size = 64
${config.join('\n')}
`
}
