import { execFile } from 'node:child_process'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)

interface Seen {
  readonly sts: URLSearchParams[]
  readonly s3: { readonly authorization: string; readonly token: string | undefined }[]
}

/** AWS's token service, as far as the SDK asks it, and a store that answers every list. */
async function startFakeAws(seen: Seen, answer: () => { status: number; body: string }): Promise<Server> {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString()
    })
    request.on('end', () => {
      if (request.method === 'POST') {
        seen.sts.push(new URLSearchParams(body))
        const { status, body: xml } = answer()
        response.writeHead(status, { 'content-type': 'text/xml' }).end(xml)
        return
      }
      const { authorization = '', 'x-amz-security-token': token } = request.headers
      seen.s3.push({ authorization, token: token?.toString() })
      response
        .writeHead(200, { 'content-type': 'application/xml' })
        .end(
          '<ListBucketResult><Name>b</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>',
        )
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

const granted = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<SubjectFromWebIdentityToken>org:app:machine</SubjectFromWebIdentityToken><AssumedRoleUser><AssumedRoleId>r:s</AssumedRoleId><Arn>arn:aws:sts::1:assumed-role/backup/s</Arn></AssumedRoleUser>
<Credentials><AccessKeyId>ASIAFROMSTS</AccessKeyId><SecretAccessKey>secret-from-sts</SecretAccessKey><SessionToken>token-from-sts</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`

const expired = `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>ExpiredTokenException</Code>
<Message>Token expired: current date/time 1795230000 must be before the expiration date/time 1795220000</Message></Error></ErrorResponse>`

/** In a process of its own, since the SDK reads the environment it was started with. */
async function listInChild(env: Record<string, string>): Promise<{ readonly out: string; readonly error: string }> {
  const code = `
    import { s3FromUrl } from ${JSON.stringify(new URL('s3-from-url.ts', import.meta.url).href)}
    try { console.log(JSON.stringify(await s3FromUrl('s3://b?forcePathStyle=true').list())) }
    catch (error) { console.error(JSON.stringify(error)) }`
  const { PATH = '' } = process.env
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', code], { env: { PATH, ...env } })
  return { out: stdout.trim(), error: stderr.trim() }
}

describe('web identity, as Fly gives it to its machines', () => {
  const seen: Seen = { sts: [], s3: [] }
  let server: Server
  let answer = { status: 200, body: granted }
  let env: Record<string, string>

  beforeAll(async () => {
    server = await startFakeAws(seen, () => answer)
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const dir = await mkdtemp(join(tmpdir(), 'sqlite-backup-oidc-'))
    await writeFile(join(dir, 'token'), 'the-oidc-token')
    env = {
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/backup',
      AWS_WEB_IDENTITY_TOKEN_FILE: join(dir, 'token'),
      AWS_ROLE_SESSION_NAME: 'machine-1',
      AWS_REGION: 'eu-west-1',
      AWS_ENDPOINT_URL_S3: url,
      AWS_ENDPOINT_URL_STS: url,
    }
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))

  it('exchanges the token for credentials and signs with them', async () => {
    expect(await listInChild(env)).toEqual({ out: '{"objects":[],"prefixes":[]}', error: '' })
    expect(Object.fromEntries(seen.sts[0] ?? [])).toMatchObject({
      Action: 'AssumeRoleWithWebIdentity',
      RoleArn: 'arn:aws:iam::1:role/backup',
      RoleSessionName: 'machine-1',
      WebIdentityToken: 'the-oidc-token',
    })
    expect(seen.s3[0]?.authorization).toContain('Credential=ASIAFROMSTS/')
    expect(seen.s3[0]?.token).toBe('token-from-sts')
  })

  it('says so when the token is refused, without showing it', async () => {
    answer = { status: 400, body: expired }
    const { error } = await listInChild(env)
    expect(JSON.parse(error)).toMatchObject({
      code: 'STORAGE_DENIED',
      message: expect.stringMatching(/list is refused \(ExpiredTokenException, HTTP 400\), since 20/),
    })
    expect(error).not.toContain('the-oidc-token')
  })

  it('says so when the token file or all credentials are missing', async () => {
    const noFile = await listInChild({ ...env, AWS_WEB_IDENTITY_TOKEN_FILE: '/nowhere/token' })
    expect(JSON.parse(noFile.error)).toMatchObject({
      code: 'STORAGE_DENIED',
      hint: expect.stringContaining('AWS_WEB_IDENTITY_TOKEN_FILE'),
    })
    const { AWS_ROLE_ARN: _, ...noRole } = env
    const none = await listInChild({ ...noRole, AWS_EC2_METADATA_DISABLED: 'true' })
    expect(JSON.parse(none.error)).toMatchObject({
      code: 'STORAGE_DENIED',
      hint: expect.stringContaining('AWS_ACCESS_KEY_ID'),
    })
  })

  it('says that the token service cannot be reached, which may pass', async () => {
    const { error } = await listInChild({ ...env, AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:1' })
    expect(JSON.parse(error)).toMatchObject({ code: 'UNAVAILABLE' })
  })
})
