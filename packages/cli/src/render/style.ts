import { styleText } from 'node:util'

/** Colours for one stream: none when it is not a terminal, with `NO_COLOR` or `--no-color`. */
export interface Style {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
  readonly warn: (text: string) => string
  readonly accent: (text: string) => string
}

type Format = Parameters<typeof styleText>[0]

/** `styleText` looks at the stream and at NO_COLOR, NODE_DISABLE_COLORS and FORCE_COLOR. */
export function createStyle(stream: NodeJS.WritableStream): Style {
  const as = (format: Format) => (text: string) => styleText(format, text, { stream })
  return {
    bold: as('bold'),
    dim: as('dim'),
    good: as('green'),
    bad: as('red'),
    warn: as('yellow'),
    accent: as('cyan'),
  }
}

const same = (text: string): string => text

/** No colours at all, for JSON and tests. */
export const plainStyle: Style = { bold: same, dim: same, good: same, bad: same, warn: same, accent: same }

export const symbols = { good: '✔', bad: '✖', warning: '▲', arrow: '→', dot: '·', bar: '█', track: '░' } as const
