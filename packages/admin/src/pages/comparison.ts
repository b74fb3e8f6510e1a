import type { ComparedTable, Comparison } from '@sqlite-backup/core'
import { type ComparisonAnswer, lossOf } from '../actions/compare-backup.ts'
import { plural } from '../format.ts'
import { type Html, html, type Markup } from '../web/html.ts'
import { moment, notice } from './parts.ts'

// Tables nobody would scroll through are behind the ones that change.
const MAX_TABLES = 200

/** What a restore would change, table by table. `compareForm` asks for it where it takes longer than a page. */
export function comparisonSection(answer: ComparisonAnswer, compareForm: Markup): Html {
  return html`<section aria-labelledby="changes"><h2 id="changes">What would be lost, table by table</h2>
${bodyOf(answer, compareForm)}</section>`
}

function bodyOf(answer: ComparisonAnswer, compareForm: Markup): Markup {
  if (answer.kind === 'failed') {
    return notice('warning', html`<p><strong>The tables could not be compared.</strong> ${answer.message}</p>`)
  }
  if (answer.kind === 'compared') return comparisonTable(answer.comparison)
  const counted = answer.comparison?.tables ?? []
  return html`<div class="card"><p>The database is too large to compare while a page waits. Comparing reads it and the backup once, in the background; the app goes on working.</p>${compareForm}</div>
${counted.length > 0 && html`<table><caption>Rows after the restore, as they were counted when the backup was proven</caption><thead><tr><th scope="col">Table</th><th scope="col" class="number">Rows after</th></tr></thead><tbody>${counted.slice(0, MAX_TABLES).map(({ name, after }) => html`<tr><th scope="row">${name}</th><td class="number">${count(after)}</td></tr>`)}</tbody></table>`}`
}

/** The sentence first; then who wants to know sees where. */
export function comparisonTable(comparison: Comparison): Html {
  const { isSame, tables, objects, at } = comparison
  const changed = tables.filter(isChanged)
  const rest = tables.filter((table) => !isChanged(table))
  const shown = [...changed, ...rest].slice(0, MAX_TABLES)
  const isLoss = changed.some(
    ({ rowsGoing = 0, rowsChanging = 0, schema }) => rowsGoing + rowsChanging > 0 || schema === 'goes',
  )
  return html`${notice(isLoss ? 'warning' : isSame ? 'good' : 'info', html`<p><strong>${lossOf(comparison)}</strong> <span class="muted">Compared at ${moment(at)}.</span></p>`)}
${
  shown.length > 0 &&
  html`<table class="cards"><caption class="visually-hidden">Rows of each table now and after the restore</caption>
<thead><tr><th scope="col">Table</th><th scope="col" class="number">Rows now</th><th scope="col" class="number">Rows after</th><th scope="col">What changes</th></tr></thead>
<tbody>${shown.map((table) => html`<tr><th scope="row">${table.name}</th><td class="number" data-label="now">${count(table.now)}</td><td class="number" data-label="after">${count(table.after)}</td><td class="free">${changesOf(table)}</td></tr>`)}</tbody></table>`
}
${shown.length < tables.length && html`<p class="muted">And ${plural(tables.length - shown.length, 'table')} more.</p>`}
${objects.length > 0 && html`<p>In the schema: ${objects.map(({ type, name, schema }, at) => html`${at > 0 && ', '}${type} <code>${name}</code> ${objectTexts[schema]}`)}.</p>`}`
}

const objectTexts = { changed: 'would be as it was', goes: 'would be gone', comes: 'would be back' } as const

function isChanged({ now, after, schema, rowsGoing = 0, rowsChanging = 0, rowsComing = 0 }: ComparedTable): boolean {
  return now !== after || (schema !== 'same' && schema !== 'unknown') || rowsGoing + rowsChanging + rowsComing > 0
}

function changesOf(table: ComparedTable): Markup {
  const { now, after, schema, rowsGoing = 0, rowsChanging = 0, rowsComing = 0, columnsGoing, columnsComing } = table
  if (!isChanged(table)) {
    return html`<span class="muted">${table.rowsChanging === undefined ? 'same number of rows' : 'nothing'}</span>`
  }
  const isExact = table.rowsGoing !== undefined
  const net = (now ?? 0) - (after ?? 0)
  const parts: readonly (Markup | false)[] = [
    schema === 'goes' && html`<strong class="loss">the table would be gone</strong>`,
    schema === 'comes' && 'the table would be back',
    isExact && rowsGoing > 0 && html`<strong class="loss">${plural(rowsGoing, 'row')} lost</strong>`,
    isExact && rowsChanging > 0 && html`<strong>${plural(rowsChanging, 'row')} back to old values</strong>`,
    isExact && rowsComing > 0 && `${plural(rowsComing, 'row')} ${rowsComing === 1 ? 'comes' : 'come'} back`,
    !isExact &&
      schema !== 'goes' &&
      schema !== 'comes' &&
      net > 0 &&
      html`<strong class="loss">${plural(net, 'row')} fewer</strong>`,
    !isExact && schema !== 'goes' && schema !== 'comes' && net < 0 && `${plural(-net, 'row')} more`,
    columnsGoing.length > 0 && html`without ${columnsOf(columnsGoing)}`,
    columnsComing.length > 0 && html`with ${columnsOf(columnsComing)}`,
    schema === 'changed' && columnsGoing.length + columnsComing.length === 0 && 'columns would be as they were',
  ]
  return parts.filter((part) => part !== false).map((part, at) => html`${at > 0 && ', '}${part}`)
}

function columnsOf(names: readonly string[]): Markup {
  return html`the ${names.length === 1 ? 'column' : 'columns'} ${names.map((name, at) => html`${at > 0 && ', '}<code>${name}</code>`)}`
}

function count(rows: number | null): string {
  return rows === null ? '–' : rows.toLocaleString('en')
}
