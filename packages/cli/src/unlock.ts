import type { Manifest } from '@sqlite-backup/core'
import type { CommandContext } from './command.ts'
import type { EngineFlags, OpenedEngine } from './open-engine.ts'

/** The engine that can open this backup: where only a passphrase is missing and a person is there, it is asked for. */
export async function unlock(
  opened: OpenedEngine,
  { id, encryption }: Manifest,
  flags: EngineFlags,
  context: CommandContext,
): Promise<OpenedEngine> {
  const isLocked = encryption?.recipients === 'passphrase' && !opened.hasPassphrase
  if (!isLocked || !context.terminal.canAsk) return opened
  const { askSecret } = await import('./ask.ts')
  const passphrase = await askSecret(`Passphrase of ${id}`, context)
  return await context.openEngine({ ...flags, passphrase })
}
