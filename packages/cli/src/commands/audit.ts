import type { AuditReport } from '@sqlite-backup/core'
import { Command } from 'commander'
import { chooseDatabase } from '../choose-database.ts'
import type { CommandContext, GlobalFlags, Outcome, RunCommand } from '../command.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { type ReadFlags, flags as shared } from '../flags.ts'
import { withExamples } from '../help.ts'
import { openAuditLog } from '../open-audit-log.ts'
import { renderAudit, renderAuditProblems } from '../render/audit.ts'

interface AuditFlags extends GlobalFlags, ReadFlags {
  readonly limit: number
}

export function auditCommand(run: RunCommand): Command {
  const command = new Command('audit')
    .summary('who did what')
    .description(
      [
        'Shows what people did on the admin page, and what they deleted or restored alone',
        'at the command line, newest first. Exits with 3 when an entry was removed or',
        'edited since it was written. A read-only key is enough.',
      ].join('\n'),
    )
    .argument('[database]', 'the same as --db')
    .addOption(shared.from())
    .addOption(shared.db())
    .addOption(shared.limit())
    .action((database: string | undefined, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<AuditFlags>()
      return run('audit', flags, (context) => audit({ ...flags, db: flags.db ?? database }, context))
    })
  return withExamples(command, [
    ['The newest entries', 'sqlite-backup audit'],
    ['Was it tampered with?', 'sqlite-backup audit --from s3://bucket/prefix --db app --quiet'],
  ])
}

async function audit(flags: AuditFlags, context: CommandContext): Promise<Outcome> {
  const { terminal } = context
  const opened = await context.openEngine({ db: flags.db, from: flags.from })
  const { engine, chosen } = opened
  const database = await chooseDatabase(opened, context)
  const log = await openAuditLog(engine, chosen.from === undefined ? engine.storages : [chosen.from])
  const report = await log.read(database)
  const shown: AuditReport = {
    ...report,
    entries: report.entries.slice(0, flags.limit),
    hasMore: report.hasMore || report.entries.length > flags.limit,
  }
  const problems = renderAuditProblems(report, terminal.out)
  return {
    exitCode: exitCodeOf(report),
    json: { database, ...shown },
    lines: [...problems, ...(await renderAudit(database, shown, terminal.out))],
    quietLines: problems,
  }
}

function exitCodeOf({ problems, unread }: AuditReport): ExitCode {
  if (problems.length > 0) return exitCodes.unhealthy
  return unread.length > 0 ? exitCodes.failed : exitCodes.ok
}
