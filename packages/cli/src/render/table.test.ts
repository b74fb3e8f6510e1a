import { describe, expect, it } from 'vitest'
import { plainStyle } from './style.ts'
import { renderFacts, renderTable } from './table.ts'

describe('renderTable', () => {
  it('aligns columns, also of coloured and of wide text', () => {
    const lines = renderTable(
      [{ title: 'database' }, { title: 'size', align: 'right' }, { title: 'tier' }],
      [
        ['app', '4.1 KB', 'manual'],
        ['\u001b[31m顧客\u001b[39m', '118 MB', 'daily'],
      ],
      plainStyle,
    )
    expect(lines).toEqual([
      'DATABASE    SIZE  TIER',
      'app       4.1 KB  manual',
      '\u001b[31m顧客\u001b[39m      118 MB  daily',
    ])
  })

  it('leaves out a column that says nothing', () => {
    expect(renderTable([{ title: 'id' }, { title: 'name' }], [['a', '']], plainStyle)).toEqual(['ID', 'a'])
  })
})

describe('renderFacts', () => {
  it('aligns values and leaves out what is not known', () => {
    const lines = renderFacts(
      [
        ['size', '4.1 KB'],
        ['name', undefined],
        ['storages', 'local\noffsite'],
      ],
      plainStyle,
    )
    expect(lines).toEqual(['  size      4.1 KB', '  storages  local', '            offsite'])
  })
})
