// Results as Markdown tables: a figure, what it is compared with, the ratio, the goal.
export function table(title, rows) {
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const cells = rows.map((row) => keys.map((key) => format(row[key])))
  const widths = keys.map((key, i) => Math.max(key.length, ...cells.map((row) => row[i].length)))
  const line = (row) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`
  console.log(`\n## ${title}\n`)
  console.log([line(keys), `|${widths.map((w) => '-'.repeat(w + 2)).join('|')}|`, ...cells.map(line)].join('\n'))
}

function format(value) {
  if (value === undefined) return ''
  if (typeof value !== 'number') return String(value)
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
