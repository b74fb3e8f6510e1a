import type { SerializedError } from '@sqlite-backup/core'
import { type Style, symbols } from './style.ts'

/** Message, cause when it says more, hint, code. */
export function renderError(error: SerializedError, style: Style): readonly string[] {
  const { code, message, cause, hint } = error
  const saysMore = cause !== undefined && cause !== '' && !message.includes(cause)
  return [
    `${style.bad(symbols.bad)} ${style.bold(message)}`,
    ...(saysMore ? [`  ${style.dim(`Because: ${cause}`)}`] : []),
    ...(hint === undefined ? [] : hint.split('\n').map((line) => `  ${line}`)),
    `  ${style.dim(code)}`,
  ]
}
