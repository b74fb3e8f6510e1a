// A process of its own for the litestream-vfs extension: it brings Go's runtime, and reads its settings from the environment.
//   node litestream-session.ts EXTENSION LOG WAIT_FOR [SQL]
// Opens the database through the extension, runs the SQL, and ends when the log says what is waited for.
import { existsSync, readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'

const [extension = '', log = '', waitFor = '', sql = 'SELECT count(*) FROM sqlite_schema'] = process.argv.slice(2)

const loader = new DatabaseSync(':memory:', { allowExtension: true })
loader.loadExtension(extension)
const db = new DatabaseSync(new URL('file:///replica.db?vfs=litestream'))
db.exec(sql)
for (let turn = 0; turn < 600; turn++) {
  const lines = existsSync(log) ? readFileSync(log, 'utf8') : ''
  if (lines.includes(waitFor)) break
  if (/level=ERROR/.test(lines)) throw new Error(lines.split('\n').find((line) => line.includes('level=ERROR')))
  if (turn === 599) throw new Error(`The log never said "${waitFor}".`)
  await setTimeout(50)
}
db.close()
// Go's threads would keep the process.
process.exit(0)
