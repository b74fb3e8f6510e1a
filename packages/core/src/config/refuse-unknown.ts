import { BackupError } from '../errors.ts'
import { suggestName } from './suggest-name.ts'

/** An option that is misspelt would be one that does nothing. @throws BackupError `USAGE` */
export function refuseUnknown(of: string, given: readonly string[], known: readonly string[], hint?: string): void {
  const unknown = given.find((key) => !known.includes(key))
  if (unknown === undefined) return
  const near = suggestName(unknown, known)
  throw new BackupError(
    'USAGE',
    `Unknown option "${unknown}" of ${of}.${near === undefined ? '' : ` Did you mean "${near}"?`}`,
    { hint: `It has: ${known.join(', ')}.${hint === undefined ? '' : ` ${hint}`}` },
  )
}
