import { LtxError } from './ltx-error.ts'

/** Throws `LTX_OPTION_INVALID` for an option nobody knows: a misspelt one would be silently without effect. */
export function checkOptions(call: string, options: object, known: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      throw new LtxError('LTX_OPTION_INVALID', `${call} has no option "${key}".`, {
        hint: `It knows: ${known.join(', ')}.`,
      })
    }
  }
}
