import type { Style } from './style.ts'
import { pad, textWidth } from './text-width.ts'

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** Rows under titles, columns two spaces apart. Cells may be coloured. A column with no text in it is left out. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: Style,
): readonly string[] {
  const shown = columns
    .map((column, index) => ({ ...column, index }))
    .filter(({ index }) => rows.some((row) => (row[index] ?? '') !== ''))
  const widths = shown.map(({ title, index }) =>
    Math.max(textWidth(title), ...rows.map((row) => textWidth(row[index] ?? ''))),
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => pad(cell, widths[at] ?? 0, shown[at]?.align))
      .join('  ')
      .trimEnd()
  const titles = line(shown.map(({ title }) => title.toUpperCase()))
  return [style.dim(titles), ...rows.map((row) => line(shown.map(({ index }) => row[index] ?? '')))]
}

/** Label and value, one pair a line; values are aligned. Pairs without a value are left out. */
export function renderFacts(
  facts: readonly (readonly [label: string, value: string | undefined])[],
  style: Style,
): readonly string[] {
  const shown = facts.filter((fact): fact is readonly [string, string] => fact[1] !== undefined && fact[1] !== '')
  const width = Math.max(0, ...shown.map(([label]) => textWidth(label)))
  return shown.flatMap(([label, value]) =>
    value.split('\n').map((part, at) => `  ${pad(at === 0 ? style.dim(label) : '', width)}  ${part}`),
  )
}
