import { describe, expect, it } from 'vitest'
import { createProgressBars, createProgressLines, type ProgressOptions } from './progress.ts'
import { advanceStep, type ProgressStep, renderStep } from './progress-step.ts'
import { plainStyle } from './style.ts'
import { textWidth } from './text-width.ts'

const MB = 1_000_000

function stepAfter(...updates: readonly (readonly [atMs: number, doneBytes: number])[]): ProgressStep {
  let step: ProgressStep | undefined
  for (const [atMs, doneBytes] of updates) {
    step = advanceStep(step, { label: 'app capture', doneBytes, totalBytes: 400 * MB }, atMs)
  }
  if (step === undefined) throw new Error('No updates.')
  return step
}

const wideLayout = { columns: 100, labelWidth: 11, style: plainStyle }

describe('renderStep', () => {
  it('shows bytes, rate and the time left while it runs', () => {
    const line = renderStep(stepAfter([0, 0], [1000, 100 * MB]), wideLayout)
    expect(line).toBe('  app capture  ██████░░░░░░░░░░░░░░░░░░   25 %  100 MB of 400 MB  100 MB/s  3 s left')
  })

  it('shows the time taken when it is done', () => {
    const line = renderStep(stepAfter([0, 0], [1000, 100 * MB], [2000, 400 * MB], [9000, 400 * MB]), wideLayout)
    expect(line).toBe('  app capture  ████████████████████████  100 %  400 MB  200 MB/s  2 s')
  })

  it('follows the last seconds, not the average since the start', () => {
    const step = stepAfter([0, 0], [1000, 300 * MB], [10_000, 300 * MB], [11_000, 310 * MB])
    expect(renderStep(step, wideLayout)).toContain('10 MB/s')
  })

  it('says no rate when a part is sent again and bytes step back', () => {
    expect(renderStep(stepAfter([0, 100 * MB], [1000, 50 * MB]), wideLayout)).not.toContain('/s')
  })

  it('shows bytes alone as long as the total is not known', () => {
    const step = advanceStep(undefined, { label: 'app upload', doneBytes: 5 * MB, totalBytes: 0 }, 0)
    expect(renderStep(step, wideLayout)).toBe('  app upload   5 MB')
  })

  it('never fills the last column, however narrow the terminal is', () => {
    const step = stepAfter([0, 0], [1000, 100 * MB])
    for (let columns = 1; columns < 120; columns++) {
      expect(textWidth(renderStep(step, { ...wideLayout, columns }))).toBeLessThan(columns)
    }
  })
})

function recorder(): ProgressOptions & { readonly text: () => string; readonly at: (ms: number) => void } {
  let text = ''
  let nowMs = 0
  return {
    write: (more) => {
      text += more
    },
    now: () => nowMs,
    style: plainStyle,
    columns: () => 80,
    text: () => text,
    at: (ms) => {
      nowMs = ms
    },
  }
}

describe('createProgressLines', () => {
  it('writes one line per 10 %, and none twice when bytes step back', () => {
    const record = recorder()
    const progress = createProgressLines(record)
    for (const percent of [0, 5, 12, 18, 25, 15, 22, 100, 100]) {
      progress.update({ label: 'app upload offsite', doneBytes: percent * MB, totalBytes: 100 * MB })
    }
    expect(record.text().trimEnd().split('\n')).toEqual([
      'app upload offsite 10 % (12 MB of 100 MB)',
      'app upload offsite 20 % (25 MB of 100 MB)',
      'app upload offsite 100 % (100 MB)',
    ])
  })
})

describe('createProgressBars', () => {
  it('redraws in place, prints messages above, and gives the cursor back', () => {
    const record = recorder()
    const progress = createProgressBars(record)
    progress.update({ label: 'app capture', doneBytes: 0, totalBytes: 100 })
    record.at(100)
    progress.update({ label: 'app upload', doneBytes: 50, totalBytes: 100 })
    progress.print('A message.')
    progress.stop()
    const drawn = record.text()
    expect(drawn.startsWith('\u001b[?25l')).toBe(true)
    expect(drawn).toContain('\u001b[1A\r\u001b[J')
    expect(drawn).toContain('\u001b[2A\r\u001b[JA message.\n')
    expect(drawn.endsWith('\u001b[?25h')).toBe(true)
  })

  it('draws a few times a second, not for every event', () => {
    const record = recorder()
    const progress = createProgressBars(record)
    progress.update({ label: 'app capture', doneBytes: 0, totalBytes: 1000 })
    const before = record.text().length
    for (let doneBytes = 1; doneBytes < 1000; doneBytes++) {
      progress.update({ label: 'app capture', doneBytes, totalBytes: 1000 })
    }
    expect(record.text().length).toBe(before)
  })

  it('leaves no trace when nothing moved', () => {
    const record = recorder()
    createProgressBars(record).stop()
    expect(record.text()).toBe('')
  })
})
