import { randomBytes } from 'node:crypto'
import type { NamedStorage } from '../catalog/first-answering.ts'
import { databaseFolder } from '../catalog/keys.ts'
import type { SqliteBackup } from '../engine-api.ts'
import { isBackupError, messageOf } from '../errors.ts'
import { bytesBody } from '../storage/storage.ts'
import { inFirstStorage } from './first-taking.ts'

/** A restore in place that nobody else approved, though this database wants it: kept where requests for approval are. */
export interface BreakGlass {
  readonly format: 1
  readonly kind: 'break-glass'
  readonly database: string
  readonly backup: string
  readonly target: string
  /** Who, as far as it is known: the account and the machine. */
  readonly actor: string
  readonly reason: string
  /** ISO 8601, UTC. */
  readonly at: string
}

/** `<db>/approvals/`: requests for approval, what became of them, and the rule itself. */
export function approvalsFolder(database: string): string {
  return `${databaseFolder(database)}approvals/`
}

/** In that folder while restores of the database need two people. */
export const approvalRuleName = 'required.json'

function ruleKey(database: string): string {
  return `${approvalsFolder(database)}${approvalRuleName}`
}

type Storages = Pick<SqliteBackup, 'storages' | 'storage'>

function namedStorages(engine: Storages): readonly NamedStorage[] {
  return engine.storages.map((name) => ({ name, storage: engine.storage(name) }))
}

/** Writes down, in every storage, whether restores in place of a database need two people: the command line asks for it. */
export async function setApprovalRule(engine: Storages, database: string, isRequired: boolean): Promise<void> {
  await Promise.all(
    namedStorages(engine).map(async ({ storage }) => {
      if (!isRequired) return storage.delete([ruleKey(database)])
      const body = bytesBody(Buffer.from(`${JSON.stringify({ format: 1, approvals: 2 })}\n`))
      await storage.put(ruleKey(database), body, { contentType: 'application/json' })
    }),
  )
}

/** Whether any storage says that a restore in place of this database needs two people. One that does not answer says nothing. */
export async function isApprovalRequired(engine: Storages, database: string): Promise<boolean> {
  const answers = await Promise.all(
    namedStorages(engine).map(async ({ storage }) => {
      try {
        await storage.head(ruleKey(database))
        return true
      } catch (error) {
        if (isBackupError(error) && error.code !== 'ABORTED') return false
        throw error
      }
    }),
  )
  return answers.includes(true)
}

/** The record in these bytes of JSON; undefined when it is none. */
export function parseBreakGlass(value: unknown): BreakGlass | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const record = value as Partial<BreakGlass>
  const { database, backup, target, actor, reason, at } = record
  const isWhole = [database, backup, target, actor, reason, at].every((text) => typeof text === 'string')
  return record.format === 1 && record.kind === 'break-glass' && isWhole ? (record as BreakGlass) : undefined
}

/** Keeps the record. @returns why it could not be kept: an emergency does not wait for a storage */
export async function putBreakGlass(
  storages: readonly NamedStorage[],
  record: BreakGlass,
): Promise<string | undefined> {
  const stamp = `${record.at.slice(0, 19).replaceAll(/[-:]/g, '')}Z`
  const key = `${approvalsFolder(record.database)}${stamp}-${randomBytes(8).toString('hex')}.json`
  try {
    await inFirstStorage(storages, 'keep the record', ({ storage }) =>
      storage.put(key, bytesBody(Buffer.from(`${JSON.stringify(record, null, 2)}\n`)), {
        ifAbsent: true,
        contentType: 'application/json',
      }),
    )
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}
