import type { CheckLevel, VerifyResult } from '@sqlite-backup/core'
import { Command, Option } from 'commander'
import { allDatabases, chooseDatabase, noBackups } from '../choose-database.ts'
import { usageError } from '../cli-error.ts'
import type { CommandContext, GlobalFlags, Outcome, RunCommand } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { type KeyFlags, type ReadFlags, flags as shared } from '../flags.ts'
import { withExamples } from '../help.ts'
import { renderVerified } from '../render/verify.ts'
import { unlock } from '../unlock.ts'

interface VerifyFlags extends GlobalFlags, ReadFlags, KeyFlags {
  readonly level: CheckLevel
  readonly all?: true
}

export function verifyCommand(run: RunCommand): Command {
  const command = new Command('verify')
    .summary('prove that a backup is good')
    .description(
      [
        'Proves that a backup is good, and keeps the result beside it. Levels:',
        '  stored    the storage has it, whole',
        '  checked   its bytes were read back and hashed',
        "  proven    it was restored into a scratch place and SQLite's checks ran",
      ].join('\n'),
    )
    .argument('[backup]', 'latest, an id, a name, or a time (default: latest)')
    .addOption(shared.from())
    .addOption(shared.db())
    .addOption(
      new Option('--level <level>', 'how deep to look').choices(['stored', 'checked', 'proven']).default('checked'),
    )
    .option('--all', 'verify every backup')
    .addOption(shared.identity())
    .addOption(shared.passphraseFile())
    .action((reference: string | undefined, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<VerifyFlags>()
      return run('verify', flags, (context) => verify(reference, flags, context))
    })
  return withExamples(command, [
    ['Is the newest one good?', 'sqlite-backup verify'],
    ['Restore it for real, and throw it away', 'sqlite-backup verify latest --from ./backups --db app --level proven'],
    ['All of them', 'sqlite-backup verify --all'],
  ])
}

async function verify(reference: string | undefined, flags: VerifyFlags, context: CommandContext): Promise<Outcome> {
  if (flags.all && reference !== undefined) {
    throw usageError(`Verify ${reference}, or all?`, 'Leave out the one or the other.')
  }
  const engineFlags = { db: flags.db, from: flags.from, identity: flags.identity, passphraseFile: flags.passphraseFile }
  const opened = await context.openEngine(engineFlags)
  const { signal, terminal } = context
  const databases = flags.all ? await allDatabases(opened, signal) : [await chooseDatabase(opened, context)]
  const asked = reference ?? 'latest'
  let { engine } = opened
  const results: VerifyResult[] = []
  for (const database of databases) {
    const options = { ...opened.chosen, database, level: flags.level, signal }
    // Only a proof opens the backup, so only then a passphrase may be wanted.
    if (flags.level === 'proven' && terminal.canAsk && engine === opened.engine) {
      const { manifest } = await opened.engine.show(asked, options)
      engine = (await unlock(opened, manifest, engineFlags, context)).engine
    }
    results.push(...(flags.all ? await engine.verifyAll(options) : [await engine.verify(asked, options)]))
  }
  // "0 of 0 checked" would be taken for good news.
  if (results.length === 0) throw noBackups(opened)
  return outcomeOf(results, flags, context)
}

function outcomeOf(results: readonly VerifyResult[], { all, level }: VerifyFlags, context: CommandContext): Outcome {
  const { out } = context.terminal
  const failed = results.filter(({ record }) => record.outcome === 'failed')
  const good = results.length - failed.length
  const summary =
    failed.length === 0
      ? out.good(`${good} of ${results.length} ${level}.`)
      : out.bad(`${failed.length} of ${results.length} failed.`)
  return {
    exitCode: failed.length === 0 ? exitCodes.ok : exitCodes.unhealthy,
    json: { level, good, failed: failed.length, verified: results },
    lines: [...results.flatMap((result) => renderVerified(result, out)), ...(all ? [summary] : [])],
    quietLines: failed.flatMap((result) => renderVerified(result, out)),
  }
}
