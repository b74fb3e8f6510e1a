import type { DeletePlan, DeleteResult } from '@sqlite-backup/core'
import { Command } from 'commander'
import { chooseDatabase } from '../choose-database.ts'
import { usageError } from '../cli-error.ts'
import type { CommandContext, GlobalFlags, Outcome, RunCommand } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { type ReadFlags, flags as shared } from '../flags.ts'
import { withExamples } from '../help.ts'
import { openAuditLog } from '../open-audit-log.ts'
import type { OpenedEngine } from '../open-engine.ts'
import { isHeld, renderDeleted, renderDeletePlan } from '../render/delete.ts'
import { whoIsHere } from '../who-is-here.ts'

interface DeleteFlags extends GlobalFlags, ReadFlags {
  readonly reason?: string
  readonly dryRun?: true
  readonly yes?: true
}

export function deleteCommand(run: RunCommand): Command {
  const command = new Command('delete')
    .summary('delete one backup')
    .description(
      [
        'Deletes one backup, from every storage that has it or from none. The newest, the',
        'newest checked one, kept ones and both ends of a fork stay, whoever asks. It is',
        'written into the audit log.',
      ].join('\n'),
    )
    .argument('<backup>', 'an id, a name, or a time')
    .addOption(shared.from())
    .addOption(shared.db())
    .option('--reason <text>', 'why, for those who read the audit log')
    .addOption(shared.dryRun())
    .addOption(shared.yes())
    .action((reference: string, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<DeleteFlags>()
      return run('delete', flags, (context) => deleteOne(reference, flags, context))
    })
  return withExamples(command, [
    ['May it go, and from where?', 'sqlite-backup delete 20261120T030000Z-k3v7qa2m --dry-run'],
    ['Because it holds what it should not', 'sqlite-backup delete before-import --reason "has test data"'],
  ])
}

async function deleteOne(reference: string, flags: DeleteFlags, context: CommandContext): Promise<Outcome> {
  const { terminal, signal, now } = context
  const opened = await context.openEngine({ db: flags.db, from: flags.from })
  const database = await chooseDatabase(opened, context)
  const options = { ...opened.chosen, database, signal }
  const plan = await opened.engine.planDelete(reference, options)
  if (flags.dryRun) {
    return {
      exitCode: isHeld(plan) ? exitCodes.failed : exitCodes.ok,
      json: { planned: plan },
      lines: [...renderDeletePlan(plan, now(), terminal.out), terminal.out.dim('Nothing was changed.')],
      quietLines: isHeld(plan) ? [] : [plan.id],
    }
  }
  if (!isHeld(plan)) await askForPermission(plan, flags, context)
  // The id, not the reference: what was shown is what goes.
  const deleted = await deleteInTheOpen(plan, flags, opened, () =>
    opened.engine.delete(plan.id, { ...options, actor: whoIsHere() }),
  )
  return {
    exitCode: deleted.storages.every(({ ok }) => ok) ? exitCodes.ok : exitCodes.failed,
    json: { deleted },
    lines: renderDeleted(deleted, terminal.out),
    quietLines: deleted.storages.some(({ ok }) => ok) ? [deleted.id] : [],
  }
}

async function askForPermission(plan: DeletePlan, flags: DeleteFlags, context: CommandContext): Promise<void> {
  if (flags.yes) return
  const { terminal } = context
  if (!terminal.canAsk) {
    throw usageError('Nothing was deleted: nobody is here to say yes.', 'Look with --dry-run, then run it with --yes.')
  }
  terminal.say(`${renderDeletePlan(plan, context.now(), terminal.err).join('\n')}\n`)
  const { confirm } = await import('../ask.ts')
  await confirm(`Delete ${plan.id} for ever?`, false, context)
}

/** As the admin does it: written down before, so that what cannot be written down is not done, and what came of it after. */
async function deleteInTheOpen(
  plan: DeletePlan,
  { reason }: DeleteFlags,
  { engine }: OpenedEngine,
  run: () => Promise<DeleteResult>,
): Promise<DeleteResult> {
  // What is refused is no action, and the engine says why.
  if (isHeld(plan)) return run()
  const audit = await openAuditLog(engine)
  const write = (action: string, detail?: Readonly<Record<string, string>>): Promise<unknown> =>
    audit.append(plan.database, { actor: whoIsHere(), action, backup: plan.id, ...(detail && { detail }) })
  const storages = plan.storages.map(({ storage }) => storage).join(', ')
  await write('delete.started', { storages, ...(reason === undefined ? {} : { reason }) })
  try {
    const result = await run()
    const failed = result.storages.filter(({ ok }) => !ok).map(({ storage }) => storage)
    if (failed.length === 0) await write('delete.succeeded')
    else await write('delete.failed', { failed: failed.join(', ') })
    return result
  } catch (error) {
    await write('delete.failed')
    throw error
  }
}
