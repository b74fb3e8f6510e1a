import type { Finding } from '@sqlite-backup/core'
import { type Style, symbols } from './style.ts'

/** A line per finding with its hint below, and how many there are. */
export function renderFindings(findings: readonly Finding[], style: Style): readonly string[] {
  const symbolsByLevel = {
    ok: style.good(symbols.good),
    warning: style.warn(symbols.warning),
    error: style.bad(symbols.bad),
  }
  return findings.flatMap(({ level, code, message, hint }) => [
    `${symbolsByLevel[level]} ${message}${level === 'ok' ? '' : `  ${style.dim(code)}`}`,
    ...(hint === undefined ? [] : hint.split('\n').map((line) => `  ${line}`)),
  ])
}
