import * as clack from '@clack/prompts'
import type { BackupSummaryEntry } from '@sqlite-backup/core'
import { interrupted } from './cli-error.ts'
import type { CommandContext } from './command.ts'
import { formatAge, formatMoment } from './render/ages.ts'
import { formatBytes } from './render/bytes.ts'

// Results belong to stdout, so questions are asked on stderr.
const shared = ({ signal }: Pick<CommandContext, 'signal'>) => ({ output: process.stderr, signal, withGuide: false })

/** Goes on with a yes; a no, Escape or Ctrl+C ends the command. What Enter alone means is up to the harm it can do. */
export async function confirm(message: string, initialValue: boolean, context: CommandContext): Promise<void> {
  const answer = await clack.confirm({ ...shared(context), message, initialValue })
  if (answer !== true) throw interrupted()
}

export async function chooseOne(message: string, names: readonly string[], context: CommandContext): Promise<string> {
  const options = names.map((name) => ({ value: name, label: name }))
  return unlessCancelled(await clack.select({ ...shared(context), message, options, maxItems: 12 }))
}

export async function chooseSome(
  message: string,
  choices: readonly { readonly value: string; readonly label: string; readonly hint?: string }[],
  initialValues: readonly string[],
  context: CommandContext,
): Promise<readonly string[]> {
  const options = [...choices]
  const asked = { ...shared(context), message, options, initialValues: [...initialValues], required: true }
  return unlessCancelled(await clack.multiselect(asked))
}

/** The id of one of these backups. */
export async function chooseBackup(
  message: string,
  items: readonly BackupSummaryEntry[],
  context: CommandContext,
): Promise<string> {
  const options = items.map((item) => ({
    value: item.id,
    label: item.id,
    hint: [
      formatMoment(item.created),
      formatAge(context.now() - Date.parse(item.created)),
      item.name === undefined ? item.tier : `${item.tier}, ${item.name}`,
      formatBytes(item.storedSizeBytes),
    ].join(', '),
  }))
  return unlessCancelled(await clack.select({ ...shared(context), message, options, maxItems: 12 }))
}

export async function askText(message: string, initialValue: string, context: CommandContext): Promise<string> {
  const validate = (text: string | undefined) => (text?.trim() ? undefined : 'It may not be empty.')
  return unlessCancelled(await clack.text({ ...shared(context), message, initialValue, validate })).trim()
}

/** Typed without an echo. */
export async function askSecret(message: string, context: Pick<CommandContext, 'signal'>): Promise<string> {
  return unlessCancelled(await clack.password({ ...shared(context), message }))
}

function unlessCancelled<Answer>(answer: Answer | typeof clack.CANCEL_SYMBOL): Answer {
  if (answer === clack.CANCEL_SYMBOL) throw interrupted()
  return answer as Answer
}
