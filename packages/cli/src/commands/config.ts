import { Command } from 'commander'
import type { GlobalFlags, RunCommand } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { withExamples } from '../help.ts'

export function configCommand(run: RunCommand): Command {
  const command = new Command('config')
    .summary('check the config, or print its schema')
    .description('Checks the config, or prints its schema.')
    .helpCommand(false)
  command
    .command('check')
    .summary('show every value and where it comes from')
    .description('Reads the config and shows every value and where it comes from: flag, environment, file or default.')
    .action((_flags: unknown, self: Command) =>
      run('config check', self.optsWithGlobals<GlobalFlags>(), async () => ({
        exitCode: exitCodes.ok,
        json: {},
        lines: [],
      })),
    )
  command
    .command('schema')
    .summary('print the JSON schema, for editors')
    .description('Prints the JSON schema of the config, for editors.')
    .action((_flags: unknown, self: Command) =>
      run('config schema', self.optsWithGlobals<GlobalFlags>(), async () => ({
        exitCode: exitCodes.ok,
        json: {},
        lines: [],
      })),
    )
  return withExamples(command, [
    ['What is in force, and why', 'sqlite-backup config check'],
    ['For an editor', 'sqlite-backup config schema > sqlite-backup.schema.json'],
  ])
}
