import type { Finding } from '@sqlite-backup/core'
import { type Style, symbols } from './style.ts'
import { wrap } from './text-width.ts'

/** A line per finding with its hint below. */
export function renderFindings(findings: readonly Finding[], columns: number, style: Style): readonly string[] {
  const symbolsByLevel = {
    ok: style.good(symbols.good),
    warning: style.warn(symbols.warning),
    error: style.bad(symbols.bad),
  }
  return findings.flatMap(({ level, code, message, hint }) => {
    const text = level === 'ok' ? message : `${message}  ${style.dim(code)}`
    const lines = wrap(text, columns - 2)
    return [
      ...lines.map((line, at) => `${at === 0 ? symbolsByLevel[level] : ' '} ${line}`),
      ...(hint === undefined ? [] : wrap(hint, columns - 2).map((line) => `  ${line}`)),
    ]
  })
}

/** How many of each. */
export function summarizeFindings(findings: readonly Finding[], style: Style): string {
  const count = (wanted: Finding['level']): number => findings.filter(({ level }) => level === wanted).length
  const errors = count('error')
  const warnings = count('warning')
  if (errors + warnings === 0) return style.good('All is well.')
  const parts = [
    ...(errors === 0 ? [] : [style.bad(`${errors} wrong`)]),
    ...(warnings === 0 ? [] : [style.warn(`${warnings} could be better`)]),
  ]
  return `${parts.join(', ')}.`
}
