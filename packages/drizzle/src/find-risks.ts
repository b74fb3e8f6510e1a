import type { SurveyedForeignKey } from '@sqlite-backup/core'
import type { LocalMigration } from './read-migrations.ts'
import { type Statement, splitSql, statementsBehind, type Token } from './split-sql.ts'

/** What the connection is like on which the migrations will run. */
export interface Surroundings {
  readonly foreignKeysOn: boolean
  /** The migrator begins a transaction first, in which SQLite ignores `PRAGMA foreign_keys`. */
  readonly runsInTransaction: boolean
  /** Who refers to whom, and what a delete there does here. */
  readonly references: readonly SurveyedForeignKey[]
  /** The migrator hands each part between two breakpoints to its driver as one statement. */
  readonly cutsAtBreakpoints: boolean
  /** What turns foreign keys off in time, as a sentence. */
  readonly remedy: string
}

/** A statement that may take rows away. */
export interface Risk {
  readonly file: string
  readonly statement: string
  /** What it does, as a sentence. */
  readonly message: string
}

/** Statements of migrations that may take away more than their author meant. Pure. */
export function findRisks(migrations: readonly LocalMigration[], surroundings: Surroundings): readonly Risk[] {
  return migrations.flatMap(({ file, sql }) => {
    const statements = splitSql(sql)
    const [behind] = surroundings.cutsAtBreakpoints ? statementsBehind(sql) : []
    return [
      ...(behind === undefined ? [] : [{ file, statement: shorten(behind.text), message: LEFT_OUT }]),
      ...statements.flatMap((statement) => {
        const message = riskOf(statement, statements, surroundings)
        return message === undefined ? [] : [{ file, statement: shorten(statement.text), message }]
      }),
    ]
  })
}

// https://sqlite.org/c3ref/prepare.html: only the first statement is compiled, and who does not look at the tail loses it.
const LEFT_OUT =
  'It stands behind another statement without `--> statement-breakpoint` between them: node:sqlite and libsql leave it out and report success, better-sqlite3 fails.'

/** The sentence for a person: file, statement, what it does. */
export function describeRisk({ file, statement, message }: Risk): string {
  return `${file}: ${statement} — ${message}`
}

function riskOf(statement: Statement, all: readonly Statement[], surroundings: Surroundings): string | undefined {
  const { tokens } = statement
  const [first, second] = tokens
  if (isWord(first, 'drop') && isWord(second, 'table')) return dropRisk(tokens, all, surroundings)
  const drop = tokens.findIndex((token) => isWord(token, 'drop'))
  if (isWord(first, 'alter') && drop > 0)
    return `The column ${columnIn(tokens.slice(drop + 1))} goes, with all that is in it.`
  if (isWord(first, 'pragma')) return pragmaRisk(tokens, surroundings)
  const verb = isWord(first, 'with') ? tokens.find(isVerb) : first
  const isSweeping = !tokens.some((token) => token.depth === 0 && isWord(token, 'where'))
  if (isSweeping && isWord(verb, 'delete')) return 'It has no WHERE: every row of the table goes.'
  if (isSweeping && isWord(verb, 'update')) return 'It has no WHERE: every row of the table is changed.'
  return undefined
}

function dropRisk(
  tokens: readonly Token[],
  all: readonly Statement[],
  { foreignKeysOn, references }: Surroundings,
): string {
  const table = nameIn(tokens.slice(isWord(tokens[2], 'if') ? 4 : 2))
  const isRebuilt = all.some(({ tokens: [alter, , ...rest] }) => {
    const to = rest.findIndex((token) => isWord(token, 'to'))
    return isWord(alter, 'alter') && to > 0 && same(nameIn(rest.slice(to + 1)), table)
  })
  const what = isRebuilt ? `The table is rebuilt under its own name.` : 'The table goes, with every row in it.'
  if (!foreignKeysOn) return what
  const children = references.filter(({ parent, child }) => same(parent, table) && !same(child, table))
  const hit = (action: string): string =>
    [...new Set(children.filter(({ onDelete }) => onDelete === action).map(({ child }) => child))].join(', ')
  return [
    what,
    ...(hit('CASCADE') === ''
      ? []
      : [`${hit('CASCADE')} refers to it ON DELETE CASCADE: with foreign keys on, its rows go too.`]),
    ...(hit('SET NULL') === ''
      ? []
      : [`${hit('SET NULL')} refers to it ON DELETE SET NULL: with foreign keys on, it forgets to whom.`]),
  ].join(' ')
}

function pragmaRisk(
  tokens: readonly Token[],
  { foreignKeysOn, runsInTransaction, remedy }: Surroundings,
): string | undefined {
  const words = tokens.filter(({ kind }) => kind !== 'sign').map(({ value }) => value.toLowerCase())
  const isOff =
    words.includes('foreign_keys') &&
    (words.some((word) => ['off', 'false', 'no'].includes(word)) || tokens.at(-1)?.value === '0')
  if (!isOff || !runsInTransaction || !foreignKeysOn) return undefined
  // https://sqlite.org/pragma.html#pragma_foreign_keys: "This pragma is a no-op within a transaction"
  return `SQLite ignores it inside a transaction, in which this driver migrates: foreign keys stay on. ${remedy}`
}

function isVerb({ kind, value, depth }: Token): boolean {
  return depth === 0 && kind === 'word' && ['delete', 'update', 'select', 'insert', 'replace'].includes(value)
}

/** https://sqlite.org/lang_altertable.html#alter_table_drop_column: the word COLUMN may be left out. */
function columnIn([first, second]: readonly Token[]): string {
  return (isWord(first, 'column') ? second?.value : first?.value) ?? ''
}

/** The last part of `schema.name`. */
function nameIn(tokens: readonly Token[]): string {
  const [first, dot, second] = tokens
  return (dot?.value === '.' ? second?.value : first?.value) ?? ''
}

function isWord(token: Token | undefined, word: string): boolean {
  return token?.kind === 'word' && token.value === word
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}

const SHOWN = 120

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ')
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line
}
