// Another process of the app: writes one row per commit until it is told to stop, then says how many.
import Database from 'better-sqlite3'

const db = new Database(process.argv[2] ?? '', { timeout: 20_000 })
const insert = db.prepare('INSERT INTO log(n) VALUES (?)')
let count = 0
let isStopped = false
process.on('message', () => {
  isStopped = true
})

function write(): void {
  if (isStopped) {
    db.close()
    process.send?.({ count })
    process.disconnect()
    return
  }
  insert.run(++count)
  if (count === 10) process.send?.('writing')
  setTimeout(write, 1)
}
write()
