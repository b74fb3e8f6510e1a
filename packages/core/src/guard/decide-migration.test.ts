import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ImageSurvey } from '../work/protocol.ts'
import { compareSurveys } from './compare-surveys.ts'
import { decideInterrupted } from './decide-interrupted.ts'
import { decideMigration, type MigrationFacts } from './decide-migration.ts'

type Facts = Partial<Omit<ImageSurvey, 'tables'>> & { readonly rows?: Readonly<Record<string, number | null>> }

function survey({ rows = {}, ...more }: Facts = {}): ImageSurvey {
  return {
    outcome: 'ok',
    messages: [],
    pageCount: 3,
    tables: Object.fromEntries(
      Object.entries(rows).map(([name, count]) => [name, { rows: count, columns: ['id', 'x'], rootPage: 2 }]),
    ),
    references: {},
    violations: {},
    schemaSha256: 'schema',
    migrations: {},
    foreignKeys: [],
    goneKeys: {},
    goneRows: {},
    renamedColumns: {},
    lostValues: {},
    objects: {},
    contentSha256: JSON.stringify([rows, more]),
    ...more,
  }
}

const facts = (more: Partial<MigrationFacts>): MigrationFacts => ({
  before: survey(),
  after: survey(),
  failedChecks: [],
  isAtomic: false,
  bookkeeping: ['books'],
  allowLoss: [],
  rowLoss: 'rollback',
  ...more,
})

const verdict = (more: Partial<MigrationFacts>): string => decideMigration(facts(more)).verdict

describe('decideMigration', () => {
  test('keeps rows that referred to nothing before, and references, under the new names of their tables', () => {
    const before = survey({
      rows: { posts: 3, users: 2 },
      violations: { 'posts → users': 2 },
      references: { 'posts.author': 3 },
    })
    const renamed = { rows: { articles: 3, users: 2 }, violations: { 'articles → users': 2 } }
    expect(verdict({ before, after: survey({ ...renamed, references: { 'articles.author': 3 } }) })).toBe('keep')
    expect(
      decideMigration(facts({ before, after: survey({ ...renamed, references: { 'articles.author': 1 } }) })).lost,
    ).toEqual([{ table: 'posts', column: 'author', before: 3, after: 1 }])
  })

  test('tells of columns, triggers and views that went without a row', () => {
    const before = survey({ rows: { users: 2, empty: 0 }, objects: { touch: 'trigger', recent: 'view', old: 'view' } })
    const tables = {
      users: { rows: 2, columns: ['id'], rootPage: 2 },
      empty: { rows: 0, columns: ['id'], rootPage: 2 },
    }
    const { verdict: kept, warnings } = decideMigration(
      facts({ before, after: { ...survey({ objects: { old: 'view' } }), tables } }),
    )
    expect([kept, warnings]).toEqual([
      'keep',
      [
        'users has no x any more; what was in there is in the backup.',
        'There is no trigger touch any more.',
        'There is no view recent any more.',
      ],
    ])
  })

  test('keeps an UPDATE that empties a column, and no rebuilt table that forgot one', () => {
    const before = survey({ rows: { users: 2, books: 2 } })
    const lostValues = { users: { x: { before: 2, after: 0 } }, books: { x: { before: 2, after: 0 } } }
    const { verdict: kept, warnings } = decideMigration(
      facts({ before, after: survey({ rows: { users: 2, books: 2 }, lostValues }) }),
    )
    expect([kept, warnings]).toEqual(['keep', ['users.x lost all of its 2 different values.']])
    const tables = {
      users: { rows: 2, columns: ['id', 'x'], rootPage: 9 },
      books: { rows: 2, columns: ['id', 'x'], rootPage: 9 },
    }
    const rebuilt = { ...survey({ lostValues }), tables }
    expect(decideMigration(facts({ before, after: rebuilt }))).toMatchObject({
      verdict: 'roll-back',
      lost: [{ table: 'users', column: 'x', of: 'values', before: 2, after: 0 }],
    })
    for (const name of ['users', 'users.x']) expect(verdict({ before, after: rebuilt, allowLoss: [name] })).toBe('keep')
    const same = { users: { x: { before: 2, after: 1 } } }
    expect(decideMigration(facts({ before, after: { ...rebuilt, lostValues: same } }))).toMatchObject({
      verdict: 'keep',
      warnings: ['users.x has one value now where it had 2 different ones.'],
    })
  })

  test('tells of rows that as many others have taken the place of, and of no column that was renamed', () => {
    const before = survey({ rows: { a: 2, books: 1 } })
    const after = {
      ...survey({ goneKeys: { a: 1, books: 1 }, renamedColumns: { a: { x: 'y' } } }),
      tables: { ...before.tables, a: { rows: 2, columns: ['id', 'y'], rootPage: 2 } },
    }
    const { verdict: kept, warnings } = decideMigration(facts({ before, after }))
    expect([kept, warnings]).toEqual([
      'keep',
      ['a has as many rows as before, but 1 of those by their primary key are not there any more.'],
    ])
  })

  test('never keeps a failure, nor fewer rows that nobody allowed', () => {
    const counts = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'books'), fc.nat({ max: 3 }))
    fc.assert(
      fc.property(counts, counts, fc.boolean(), fc.subarray(['a', 'b', 'c']), (left, right, hasFailed, allowLoss) => {
        const before = survey({ rows: left })
        // Other columns: nothing is a table under another name.
        const after = { ...survey({ rows: right }) }
        const others = Object.entries(after.tables).map(([name, table]) =>
          left[name] === undefined ? [name, { ...table, columns: ['other'] }] : [name, table],
        )
        const decision = decideMigration(
          facts({
            before,
            after: { ...after, tables: Object.fromEntries(others) },
            failure: hasFailed ? 'no' : undefined,
            allowLoss,
          }),
        )
        const lost = ['a', 'b', 'c'].filter((name) => (right[name] ?? 0) < (left[name] ?? 0))
        const unexplained = lost.filter((name) => !allowLoss.includes(name))
        expect(decision.verdict === 'keep').toBe(!hasFailed && unexplained.length === 0)
        if (decision.verdict === 'roll-back')
          expect(decision.lost.map(({ table }) => table).toSorted()).toEqual(unexplained.toSorted())
      }),
    )
  })

  test('keeps what was as bad before', () => {
    const bad = { outcome: 'damaged', messages: ['row 1 missing from index x'], violations: { 'a → b': 2 } } as const
    expect(verdict({ before: survey(bad), after: survey(bad) })).toBe('keep')
    expect(verdict({ before: survey(bad), after: survey({ ...bad, violations: { 'a → b': 3 } }) })).toBe('roll-back')
    expect(verdict({ before: survey(bad), after: survey({ ...bad, messages: [...bad.messages, 'more'] }) })).toBe(
      'roll-back',
    )
  })

  test('does not restore what a failed transaction left alone, whatever others wrote', () => {
    const before = survey({ rows: { a: 1 } })
    const failed = { before, failure: 'no', isAtomic: true }
    expect(verdict({ ...failed, after: survey({ rows: { a: 2 } }) })).toBe('as-it-was')
    expect(verdict({ ...failed, after: survey({ rows: { a: 2 } }), isAtomic: false })).toBe('roll-back')
    expect(verdict({ ...failed, after: survey({ rows: { a: 2 }, schemaSha256: 'other' }) })).toBe('roll-back')
    expect(verdict({ ...failed, after: survey({ rows: { a: 0 } }) })).toBe('roll-back')
    expect(verdict({ before, failure: 'no', after: before })).toBe('as-it-was')
  })

  test('says with rowLoss: warn or fail what was lost, and still rolls back damage', () => {
    const loss = { before: survey({ rows: { a: 3 } }), after: survey({ rows: { a: 1 } }) }
    expect(decideMigration(facts({ ...loss, rowLoss: 'warn' }))).toMatchObject({
      verdict: 'keep',
      warnings: ['a lost 2 of 3 rows.'],
    })
    expect(verdict({ ...loss, rowLoss: 'fail' })).toBe('fail')
    const damage = survey({ rows: { a: 1 }, outcome: 'damaged', messages: ['bad'] })
    for (const rowLoss of ['warn', 'fail'] as const)
      expect(verdict({ ...loss, after: damage, rowLoss })).toBe('roll-back')
  })

  test('does not call rows lost that it cannot count', () => {
    const { verdict: kept, warnings } = decideMigration(
      facts({ before: survey({ rows: { v: null } }), after: survey({ rows: { v: null } }) }),
    )
    expect([kept, warnings]).toEqual(['keep', ['The rows of v could not be counted without the app.']])
  })
})

describe('compareSurveys', () => {
  test('finds a renamed table by its columns, each new one once', () => {
    const before = survey({ rows: { a: 2, b: 2, c: 2 } })
    const { moved, lost } = compareSurveys(before, survey({ rows: { x: 2, y: 5 } }), [])
    expect(moved).toEqual([
      { from: 'a', to: 'x' },
      { from: 'b', to: 'y' },
    ])
    expect(lost).toEqual([{ table: 'c', before: 2, after: 0 }])
  })

  test('finds one whose columns were renamed only when its values are the same', () => {
    const before = survey({ rows: { a: 2 } })
    const renamed = { ...survey(), tables: { x: { rows: 2, columns: ['id', 'y'], rootPage: 2 } } }
    expect(compareSurveys(before, renamed, []).lost).toHaveLength(1)
    expect(compareSurveys(before, { ...renamed, goneRows: { a: { x: 1 } } }, []).lost).toHaveLength(1)
    expect(compareSurveys(before, { ...renamed, goneRows: { a: { x: 0 } } }, [])).toMatchObject({
      lost: [],
      moved: [{ from: 'a', to: 'x' }],
      gone: [],
    })
  })

  test('does not take a new table with other columns, or with fewer rows, for the old one', () => {
    const before = survey({ rows: { a: 2 } })
    const other = { ...survey(), tables: { x: { rows: 9, columns: ['id'], rootPage: 3 } } }
    expect(compareSurveys(before, other, []).lost).toHaveLength(1)
    expect(compareSurveys(before, survey({ rows: { x: 1 } }), []).lost).toHaveLength(1)
  })
})

describe('decideInterrupted', () => {
  const base = {
    phase: 'migrating',
    pending: ['1'],
    isAtomic: false,
    bookkeeping: [],
    allowLoss: [],
    rowLoss: 'rollback',
  } as const
  const before = survey({ rows: { a: 2 } })
  const changed = survey({ rows: { a: 2, b: 0 }, schemaSha256: 'new' })

  test('leaves alone what is as it was', () => {
    expect(decideInterrupted({ ...base, before, after: before }).verdict).toBe('untouched')
    const written = survey({ rows: { a: 5 } })
    expect(decideInterrupted({ ...base, isAtomic: true, before, after: written }).verdict).toBe('untouched')
    expect(decideInterrupted({ ...base, phase: 'rolled-back', before, after: written }).verdict).toBe('untouched')
  })

  test('takes nothing for untouched of which only the counts are as before', () => {
    const updated = survey({ rows: { a: 2 }, contentSha256: 'updated' })
    for (const phase of ['migrating', 'rolling-back'] as const) {
      for (const stillPending of [undefined, ['1']]) {
        expect(decideInterrupted({ ...base, phase, before, after: updated, stillPending }).verdict).toBe('undo')
      }
    }
    const atomic = { ...base, isAtomic: true, before, after: updated }
    expect(decideInterrupted({ ...atomic, phase: 'rolling-back' }).verdict).toBe('undo')
    // In books that are not among those we read.
    expect(decideInterrupted({ ...atomic, stillPending: [] }).verdict).toBe('finish')
    expect(decideInterrupted({ ...atomic, stillPending: [], failure: 'no' }).verdict).toBe('undo')
  })

  test('finishes what was applied whole and lost nothing', () => {
    expect(decideInterrupted({ ...base, before, after: changed, stillPending: [] }).verdict).toBe('finish')
  })

  test('undoes what was applied whole when the migrator or a check had failed', () => {
    const applied = { ...base, before, after: changed, stillPending: [] }
    expect(decideInterrupted({ ...applied, failedChecks: ['balances gave false.'] })).toMatchObject({
      verdict: 'undo',
      reasons: ['A check failed: balances gave false.'],
    })
    expect(decideInterrupted({ ...applied, failure: 'no' })).toMatchObject({
      verdict: 'undo',
      reasons: ['It failed: no.'],
    })
  })

  test('does with a loss of what was applied whole as rowLoss says, and never keeps half of it', () => {
    const after = survey({ rows: { a: 0 }, schemaSha256: 'new' })
    const lossy = { ...base, before, after, stillPending: [] }
    const loss = ['a lost all of its 2 rows.']
    const allowed = decideInterrupted({ ...lossy, allowLoss: ['a'] })
    expect(allowed).toMatchObject({ verdict: 'finish', warnings: ['As allowed: a lost all of its 2 rows.'] })
    expect(decideInterrupted({ ...lossy, rowLoss: 'warn' })).toMatchObject({ verdict: 'finish', warnings: loss })
    expect(decideInterrupted({ ...lossy, rowLoss: 'fail' })).toMatchObject({ verdict: 'fail', reasons: loss })
    for (const rowLoss of ['warn', 'fail'] as const) {
      expect(decideInterrupted({ ...lossy, rowLoss, stillPending: ['1'] })).toMatchObject({
        verdict: 'undo',
        reasons: loss,
      })
    }
  })

  test('undoes the rest, unless others have written since', () => {
    const lossy = survey({ rows: { a: 0, b: 0 }, schemaSha256: 'new' })
    const grown = survey({ rows: { a: 3, b: 0 }, schemaSha256: 'new' })
    expect(decideInterrupted({ ...base, before, after: changed, stillPending: ['1'] }).verdict).toBe('undo')
    expect(decideInterrupted({ ...base, before, after: changed }).verdict).toBe('undo')
    expect(decideInterrupted({ ...base, before, after: lossy, stillPending: [] }).verdict).toBe('undo')
    expect(decideInterrupted({ ...base, before, after: grown, stillPending: ['1'] }).verdict).toBe('ask')
    expect(decideInterrupted({ ...base, phase: 'rolling-back', before, after: lossy }).verdict).toBe('undo')
  })
})
