/** A statement of a script, as text and as words. */
export interface Statement {
  /** Without comments around it, as it stands. */
  readonly text: string
  readonly tokens: readonly Token[]
}

export interface Token {
  /** `word`: a keyword or a bare name. `name`: a quoted one, without its quotes. `text`: a string. `sign`: anything else. */
  readonly kind: 'word' | 'name' | 'text' | 'sign'
  /** Words in lower case. */
  readonly value: string
  /** How many parentheses it is in. */
  readonly depth: number
}

interface Scanned extends Token {
  readonly start: number
  readonly end: number
}

// https://sqlite.org/lang_comment.html, https://sqlite.org/lang_expr.html#literal_values_constants_
const LEXEME =
  /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|'(?:[^']|'')*'|[\p{L}_$][\p{L}\p{N}_$]*|\s+|[\s\S]/gu

/** Drizzle cuts a file here wherever it stands, before SQLite sees a semicolon, a string or a comment of it. */
const BREAKPOINT = '--> statement-breakpoint'

/** The statements of an SQL script. A trigger with all that is in it is one. */
export function splitSql(sql: string): readonly Statement[] {
  return sql.split(BREAKPOINT).flatMap(splitPart)
}

/** What stands behind another statement with no breakpoint between them. */
export function statementsBehind(sql: string): readonly Statement[] {
  return sql.split(BREAKPOINT).flatMap((part) => splitPart(part).slice(1))
}

function splitPart(sql: string): readonly Statement[] {
  const statements: Statement[] = []
  let tokens: Scanned[] = []
  const flush = (): void => {
    const [first, last] = [tokens[0], tokens.at(-1)]
    if (first !== undefined && last !== undefined) {
      statements.push({
        text: sql.slice(first.start, last.end),
        tokens: tokens.map(({ kind, value, depth }) => ({ kind, value, depth })),
      })
    }
    tokens = []
  }
  for (const token of scan(sql)) {
    if (token.value === ';' && token.kind === 'sign' && !isInTrigger(tokens)) flush()
    else tokens.push(token)
  }
  flush()
  return statements
}

const TRANSACTION_WORDS: ReadonlySet<string> = new Set(['begin', 'commit', 'end', 'rollback', 'savepoint', 'release'])

/** It begins or ends transactions of its own, so the one it runs in does not hold all of it. */
export function endsTransactions(sql: string): boolean {
  return splitSql(sql).some(({ tokens: [first] }) => first?.kind === 'word' && TRANSACTION_WORDS.has(first.value))
}

function* scan(sql: string): Generator<Scanned> {
  let depth = 0
  for (const { 0: text, index: start } of sql.matchAll(LEXEME)) {
    const first = text[0] ?? ''
    const at = { start, end: start + text.length }
    if (/^\s/.test(text) || text.startsWith('--') || text.startsWith('/*')) continue
    if (first === ')') depth = Math.max(0, depth - 1)
    if (first === '"' || first === '`') yield { kind: 'name', value: unquote(text, first), depth, ...at }
    else if (first === '[' && text.endsWith(']')) yield { kind: 'name', value: text.slice(1, -1), depth, ...at }
    else if (first === "'" && text.length > 1) yield { kind: 'text', value: unquote(text, first), depth, ...at }
    else if (/^[\p{L}_$]/u.test(text)) yield { kind: 'word', value: text.toLowerCase(), depth, ...at }
    else yield { kind: 'sign', value: text, depth, ...at }
    if (first === '(') depth += 1
  }
}

function unquote(text: string, quote: string): string {
  return text.length < 2 ? text : text.slice(1, -1).replaceAll(quote + quote, quote)
}

/** Inside of `CREATE TRIGGER … BEGIN … END`, where a semicolon does not end the statement. */
function isInTrigger(tokens: readonly Token[]): boolean {
  const words = tokens.filter(({ kind }) => kind === 'word').map(({ value }) => value)
  if (words[0] !== 'create' || !words.slice(1, 3).includes('trigger')) return false
  let open = 0
  for (const word of words) {
    if (word === 'begin' || word === 'case') open += 1
    if (word === 'end') open -= 1
  }
  return open > 0 || !words.includes('begin')
}
