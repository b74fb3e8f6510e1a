import { formatBytes } from './bytes.ts'
import {
  advanceStep,
  completed,
  fractionOf,
  nameOf,
  type ProgressStep,
  type ProgressUpdate,
  renderStep,
} from './progress-step.ts'
import type { Style } from './style.ts'
import { textWidth } from './text-width.ts'

/** Shows how far things are, on stderr. */
export interface Progress {
  update(update: ProgressUpdate): void
  /** All steps got to their end: the last update of a step may be a little short of it. */
  complete(): void
  /** Text of its own lines, above whatever is drawn. */
  print(text: string): void
  /** Leaves what is drawn where it is. */
  stop(): void
}

export interface ProgressOptions {
  readonly write: (text: string) => void
  readonly now: () => number
  readonly style: Style
  /** Width of the terminal. */
  readonly columns: () => number
}

const hideCursor = '\u001b[?25l'
const showCursor = '\u001b[?25h'
const redrawEveryMs = 60

/** One bar per step, redrawn in place. For terminals. */
export function createProgressBars({ write, now, style, columns }: ProgressOptions): Progress {
  const steps = new Map<string, ProgressStep>()
  let drawnLines = 0
  let drawnAtMs = Number.NEGATIVE_INFINITY

  const erase = (): string => (drawnLines === 0 ? '' : `\u001b[${drawnLines}A\r\u001b[J`)
  const lines = (): readonly string[] => {
    const labelWidth = Math.max(0, ...[...steps.values()].map((step) => textWidth(nameOf(step))))
    return [...steps.values()].map((step) => renderStep(step, { columns: columns(), labelWidth, style }))
  }
  const draw = (above = ''): void => {
    const text = lines()
    const start = drawnLines === 0 && text.length > 0 ? hideCursor : ''
    write(start + erase() + above + text.map((line) => `${line}\n`).join(''))
    drawnLines = text.length
    drawnAtMs = now()
  }

  return {
    update(update) {
      const before = steps.get(update.label)
      const step = advanceStep(before, update, now())
      steps.set(update.label, step)
      const isNews = before === undefined || before.subject !== step.subject || step.endedAtMs !== before.endedAtMs
      if (isNews || now() - drawnAtMs >= redrawEveryMs) draw()
    },
    complete() {
      for (const [label, step] of steps) steps.set(label, completed(step, now()))
      if (steps.size > 0) draw()
    },
    print(text) {
      draw(`${text}\n`)
    },
    stop() {
      if (drawnLines === 0) return
      draw()
      write(showCursor)
      steps.clear()
      drawnLines = 0
    },
  }
}

/** One line per 10 %. For logs. */
export function createProgressLines({ write, now }: ProgressOptions): Progress {
  const shownTenths = new Map<string, number>()
  const steps = new Map<string, ProgressStep>()
  const show = (update: ProgressUpdate): void => {
    const step = advanceStep(steps.get(update.label), update, now())
    steps.set(update.label, step)
    const tenth = Math.floor(fractionOf(step) * 10)
    const name = nameOf(update)
    if (tenth <= (shownTenths.get(name) ?? 0)) return
    shownTenths.set(name, tenth)
    const total = formatBytes(step.totalBytes)
    const bytes = tenth === 10 ? total : `${formatBytes(step.doneBytes)} of ${total}`
    write(`${name} ${tenth * 10} % (${bytes})\n`)
  }
  return {
    update: show,
    complete() {
      for (const step of steps.values()) show({ ...step, doneBytes: step.totalBytes })
    },
    print(text) {
      write(`${text}\n`)
    },
    stop() {
      steps.clear()
      shownTenths.clear()
    },
  }
}

/** Messages only. For `--quiet` and `--json`. */
export function createNoProgress({ write }: Pick<ProgressOptions, 'write'>): Progress {
  return { update() {}, complete() {}, print: (text) => write(`${text}\n`), stop() {} }
}
