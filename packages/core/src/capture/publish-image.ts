import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { BackupError } from '../errors.ts'
import {
  type DatabaseHeader,
  databaseHeaderBytes,
  isHeaderProblem,
  parseDatabaseHeader,
} from '../wal/database-header.ts'

// The image is a file of ours that nobody else knows: it may be opened and closed at will.

/** @throws BackupError `DATABASE_INVALID` */
export function readImageHeader(image: string): DatabaseHeader {
  const bytes = Buffer.alloc(databaseHeaderBytes)
  const fd = openSync(image, 'r')
  try {
    readSync(fd, bytes, 0, bytes.length, 0)
  } finally {
    closeSync(fd)
  }
  const header = parseDatabaseHeader(bytes)
  if (!isHeaderProblem(header)) return header
  throw new BackupError('DATABASE_INVALID', `The restored image is not a SQLite database: ${header.detail}.`)
}

// Bytes 18 and 19 say whether a database is opened with a -wal: https://sqlite.org/fileformat2.html#file_format_version_numbers
export function setImageJournalMode(image: string, mode: DatabaseHeader['journalMode']): void {
  writeHeaderBytes(image, 18, mode === 'wal' ? Buffer.from([2, 2]) : Buffer.from([1, 1]))
}

/**
 * Adds a free page to an image of one page. The Backup API would replace a database by one page in a single step, with
 * no moment at which it holds the write lock and has committed nothing.
 */
export function growToTwoPages(image: string): void {
  const before = readImageHeader(image)
  setImageJournalMode(image, 'rollback')
  const database = new DatabaseSync(image)
  try {
    // A full auto_vacuum would take the free page away at once; the next commit in its new place does.
    const isFullAutoVacuum = database.prepare('PRAGMA auto_vacuum').get()?.auto_vacuum === 1
    if (isFullAutoVacuum) database.exec('PRAGMA auto_vacuum = INCREMENTAL')
    database.exec('CREATE TABLE grown(x); DROP TABLE grown')
    database.close()
    // https://sqlite.org/fileformat2.html#the_database_header: non-zero for incremental vacuum.
    if (isFullAutoVacuum) writeHeaderBytes(image, 64, Buffer.alloc(4))
  } finally {
    if (database.isOpen) database.close()
  }
  setImageJournalMode(image, before.journalMode)
}

function writeHeaderBytes(image: string, position: number, bytes: Buffer): void {
  const fd = openSync(image, 'r+')
  try {
    writeSync(fd, bytes, 0, bytes.length, position)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
