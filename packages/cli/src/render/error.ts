import type { SerializedError } from '@sqlite-backup/core'
import { type Style, symbols } from './style.ts'
import { wrap } from './text-width.ts'

/** Message, cause when it says more, hint, code. */
export function renderError(error: SerializedError, columns: number, style: Style): readonly string[] {
  const { code, message, cause, hint } = error
  const room = columns - 2
  const saysMore = cause !== undefined && cause !== '' && !message.includes(cause)
  return [
    ...wrap(message, room).map((line, at) => `${at === 0 ? style.bad(symbols.bad) : ' '} ${style.bold(line)}`),
    ...(saysMore ? wrap(`Because: ${cause}`, room).map((line) => `  ${style.dim(line)}`) : []),
    ...(hint === undefined ? [] : hint.split('\n').flatMap((line) => wrap(line, room).map((part) => `  ${part}`))),
    `  ${style.dim(code)}`,
  ]
}
