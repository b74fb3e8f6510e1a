// An app that is killed in the middle: asks for a restore, starts another one that never ends, and says so.
import { filesystem, openBackup } from '@sqlite-backup/core'
import { faulty } from '@sqlite-backup/core/testing'
import { createAdmin } from '../create-admin.ts'

const [, , path = '', dir = '', id = ''] = process.argv
const storage = faulty(filesystem({ dir }), [
  { on: 'get', key: /\/backups\//, fail: 'hang', times: Number.POSITIVE_INFINITY },
])
const engine = await openBackup({ databases: { shop: path }, storages: { disk: storage }, jobs: false })

async function ask(approvals: 1 | 2): Promise<void> {
  const authorize = () => ({ actor: { id: 'ann' }, permissions: 'all' }) as const
  const admin = createAdmin({ backup: engine, approvals, authorize })
  const request = new Request(`http://localhost/api/backups/${id}/restore`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-requested-by': 'test' },
    body: JSON.stringify({ confirm: 'shop', reason: 'bad import' }),
  })
  const response = await admin.handle(request, { input: request, basePath: '' })
  process.stdout.write(`${await response.text()}\n`)
}

await ask(2)
await ask(1)
setInterval(() => undefined, 1000)
