import { readFile } from 'node:fs/promises'
import type { DecryptionKeys, Encryption } from '../codec/codec.ts'
import { BackupError, messageOf } from '../errors.ts'
import type { ResolvedConfig } from './config.ts'

/** How to encrypt, in the plain; undefined when backups are not encrypted. @throws BackupError `CONFIG_INVALID` */
export function revealEncryption({ encryption }: Pick<ResolvedConfig, 'encryption'>): Encryption | undefined {
  if (encryption === undefined || 'recipients' in encryption) return encryption
  const { passphrase, workFactor } = encryption
  const plain = passphrase.reveal()
  // An optional passphrase that is not set must not mean "store it in the clear".
  if (plain === undefined)
    throw new BackupError('CONFIG_INVALID', `${passphrase.name} is not set, and backups are encrypted with it.`)
  return { passphrase: plain, workFactor }
}

/**
 * What opens encrypted backups, in the plain: identities from the environment and the identity file, and the passphrase.
 * @throws BackupError `CONFIG_INVALID`, `IDENTITY_MISSING` when the identity file cannot be read
 */
export async function revealKeys({ keys }: Pick<ResolvedConfig, 'keys'>): Promise<DecryptionKeys> {
  const texts = keys.identities.map((secret) => secret.reveal() ?? '')
  if (keys.identityFile !== undefined) texts.push(await readIdentityFile(keys.identityFile))
  const identities = texts.flatMap(identitiesIn)
  const passphrase = keys.passphrase?.reveal()
  return { identities, ...(passphrase === undefined ? {} : { passphrase }) }
}

/** The identities of a file as `age-keygen` writes it: one a line, comments between. */
function identitiesIn(text: string): readonly string[] {
  return text
    .split(/[\s,]*\n[\s,]*|,/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
}

async function readIdentityFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new BackupError('IDENTITY_MISSING', `The identity file ${file} cannot be read: ${messageOf(cause)}`, {
      cause,
    })
  }
}
