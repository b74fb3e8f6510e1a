import { Command } from 'commander'
import type { RunCommand } from './command.ts'
import { auditCommand } from './commands/audit.ts'
import { backupCommand } from './commands/backup.ts'
import { configCommand } from './commands/config.ts'
import { deleteCommand } from './commands/delete.ts'
import { doctorCommand } from './commands/doctor.ts'
import { guardCommand } from './commands/guard.ts'
import { initCommand } from './commands/init.ts'
import { keepCommand, unkeepCommand } from './commands/keep.ts'
import { listCommand } from './commands/list.ts'
import { pruneCommand } from './commands/prune.ts'
import { restoreCommand } from './commands/restore.ts'
import { runAppCommand } from './commands/run.ts'
import { showCommand } from './commands/show.ts'
import { statusCommand } from './commands/status.ts'
import { verifyCommand } from './commands/verify.ts'
import { helpFormat, withExamples } from './help.ts'

const commandGroups = {
  'Set up:': [initCommand, configCommand, doctorCommand],
  'Back up and look:': [backupCommand, listCommand, showCommand, statusCommand, verifyCommand, auditCommand],
  'Bring back:': [restoreCommand],
  'Around a program:': [runAppCommand, guardCommand],
  'Keep and delete:': [keepCommand, unkeepCommand, pruneCommand, deleteCommand],
}

/** All commands and flags. `run` is what a command does once its flags are read. */
export function buildProgram(version: string, run: RunCommand): Command {
  const program = new Command('sqlite-backup')
    .description('Backs up, restores and verifies SQLite databases: while they are in use, to a disk or to S3.')
    .usage('<command> [options]')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'explain a command')
    .helpCommand(false)
    .configureHelp(helpFormat)
    .exitOverride()
    // main.ts prints errors, so that all of them look the same.
    .configureOutput({ outputError: () => {} })
    .option('-c, --config <file>', 'config file (default: sqlite-backup.config.* here or above)')
    .option('--json', 'events and one result as lines of JSON on stdout')
    .option('-q, --quiet', 'no progress, no messages, the shortest result')
    .option('--timeout <duration>', 'give up after this long, like 10m')
    .option('--no-color', 'no colours (also: NO_COLOR=1)')

  withExamples(program, [
    ['Try it, without a config', 'sqlite-backup backup ./app.db --to ./backups'],
    ['Write a config for what is here', 'sqlite-backup init'],
    ['How safe is my data?', 'sqlite-backup status'],
    ['Get it back, into a new file', 'sqlite-backup restore latest --from ./backups --db app -o ./restored.db'],
  ])

  for (const [group, makers] of Object.entries(commandGroups)) {
    for (const make of makers) {
      const command = make(run).helpGroup(group)
      for (const each of [command, ...command.commands]) each.copyInheritedSettings(program)
      program.addCommand(command)
    }
  }
  return program
}
