import type { Finding } from '@sqlite-backup/core'
import { Command } from 'commander'
import type { CommandContext, GlobalFlags, Outcome, RunCommand } from '../command.ts'
import { checkSurroundings } from '../doctor/check-surroundings.ts'
import { exitCodes } from '../exit-codes.ts'
import { type ReadFlags, flags as shared } from '../flags.ts'
import { withExamples } from '../help.ts'
import { renderFindings, summarizeFindings } from '../render/findings.ts'

interface DoctorFlags extends GlobalFlags, ReadFlags {}

export function doctorCommand(run: RunCommand): Command {
  const command = new Command('doctor')
    .summary('look for what is wrong, or could be better')
    .description(
      'Looks at the machine, the config, the databases and the storages, and says what is wrong or could be better, and what to do about it. Exits with 3 when something is wrong.',
    )
    .addOption(shared.from())
    .addOption(shared.db())
    .action((_flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<DoctorFlags>()
      return run('doctor', flags, (context) => doctor(flags, context))
    })
  return withExamples(command, [['Look at everything', 'sqlite-backup doctor']])
}

async function doctor(flags: DoctorFlags, context: CommandContext): Promise<Outcome> {
  const findings = [...checkSurroundings(), ...(await engineFindings(flags, context))]
  const { out, outColumns } = context.terminal
  const isWrong = findings.some(({ level }) => level === 'error')
  return {
    exitCode: isWrong ? exitCodes.unhealthy : exitCodes.ok,
    json: { findings },
    lines: [...renderFindings(findings, outColumns, out), '', summarizeFindings(findings, out)],
    quietLines: renderFindings(
      findings.filter(({ level }) => level !== 'ok'),
      outColumns,
      out,
    ),
  }
}

/** A config that cannot be read is the most important finding, not the end of the examination. */
async function engineFindings(flags: DoctorFlags, context: CommandContext): Promise<readonly Finding[]> {
  try {
    const { engine, file } = await context.openEngine({ db: flags.db, from: flags.from })
    const config: Finding =
      file === undefined
        ? {
            level: 'ok',
            code: 'CONFIG',
            message: 'No config file: flags and the environment are all there is. `sqlite-backup init` writes one.',
          }
        : { level: 'ok', code: 'CONFIG', message: `Config ${file}` }
    return [config, ...(await engine.doctor({ signal: context.signal }))]
  } catch (error) {
    if (context.signal.aborted) throw error
    const { serializeError } = await import('@sqlite-backup/core')
    const { code, message, hint } = serializeError(error)
    return [{ level: 'error', code, message, ...(hint === undefined ? {} : { hint }) }]
  }
}
