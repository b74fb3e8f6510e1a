import { Command } from 'commander'
import { chooseDatabase } from '../choose-database.ts'
import type { GlobalFlags, RunCommand } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { type ReadFlags, flags as shared } from '../flags.ts'
import { withExamples } from '../help.ts'
import { renderDetails } from '../render/details.ts'

interface ShowFlags extends GlobalFlags, ReadFlags {}

export function showCommand(run: RunCommand): Command {
  const command = new Command('show')
    .summary('show all about one backup')
    .description('Shows all that is known about one backup: its manifest, and what checks found out since.')
    .argument('[backup]', 'latest, an id, a name, or a time', 'latest')
    .addOption(shared.from())
    .addOption(shared.db())
    .action((reference: string, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<ShowFlags>()
      return run('show', flags, async (context) => {
        const { signal } = context
        const opened = await context.openEngine({ db: flags.db, from: flags.from })
        const database = await chooseDatabase(opened, context)
        const details = await opened.engine.show(reference, { ...opened.chosen, database, signal })
        return {
          exitCode: exitCodes.ok,
          json: details,
          lines: renderDetails(details, context.now(), context.terminal.out),
          quietLines: [details.manifest.id],
        }
      })
    })
  return withExamples(command, [
    ['The newest', 'sqlite-backup show latest --from ./backups --db app'],
    ['Where its body lies, for restoring by hand', 'sqlite-backup show latest --json | jq -r .result.manifest.body'],
  ])
}
