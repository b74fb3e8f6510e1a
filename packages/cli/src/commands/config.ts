import { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import type { CommandContext, GlobalFlags, Outcome, RunCommand } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { withExamples } from '../help.ts'
import { describeConfig, renderConfig } from '../render/config.ts'

export function configCommand(run: RunCommand): Command {
  const command = new Command('config')
    .summary('check the config, or print its schema')
    .description('Checks the config, or prints its schema.')
    .helpCommand(false)
  command
    .command('check')
    .summary('show every value and where it comes from')
    .description('Reads the config and shows every value and where it comes from: flag, environment, file or default.')
    .action((_flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<GlobalFlags>()
      return run('config check', flags, (context) => check(flags, context))
    })
  command
    .command('schema')
    .summary('print the JSON schema, for editors')
    .description('Prints the JSON schema of the config, for editors.')
    .action((_flags: unknown, self: Command) => run('config schema', self.optsWithGlobals<GlobalFlags>(), schema))
  return withExamples(command, [
    ['What is in force, and why', 'sqlite-backup config check'],
    ['For an editor', 'sqlite-backup config schema > sqlite-backup.schema.json'],
  ])
}

async function check({ config: file }: GlobalFlags, { terminal, cwd, env }: CommandContext): Promise<Outcome> {
  const { resolveFlags } = await import('../open-engine.ts')
  const config = await resolveFlags({ config: file }, { cwd, env })
  if (config.file === undefined && config.databases.length === 0 && config.storages.length === 0) {
    throw new CliError(
      {
        code: 'CONFIG_NOT_FOUND',
        message: 'There is no config: no sqlite-backup.config.* here or above, and nothing in the environment.',
        hint: '`sqlite-backup init` writes one.',
      },
      exitCodes.usage,
    )
  }
  for (const warning of config.warnings) terminal.warn(warning)
  return {
    exitCode: exitCodes.ok,
    json: { file: config.file ?? null, values: describeConfig(config), warnings: config.warnings },
    lines: renderConfig(config, terminal.out),
  }
}

async function schema(): Promise<Outcome> {
  const { configJsonSchema } = await import('@sqlite-backup/core')
  const json = configJsonSchema()
  const lines = [JSON.stringify(json, null, 2)]
  return { exitCode: exitCodes.ok, json, lines, quietLines: lines }
}
