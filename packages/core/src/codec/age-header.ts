import type { Identity, Recipient } from 'age-encryption'
import { BackupError, isBackupError, messageOf } from '../errors.ts'
import { createScryptIdentity, createScryptRecipient, defaultMaxWorkFactor, defaultWorkFactor } from './age-scrypt.ts'
import type { ByteReader } from './byte-reader.ts'
import type { DecryptionKeys, Encryption } from './codec.ts'

const versionLine = 'age-encryption.org/v1\n'
/** A thousand recipients fit; nobody is made to buffer a body that never ends its header. */
const maxHeaderBytes = 256 * 1024

export interface WrappedFileKey {
  /** Everything before the payload's nonce. */
  readonly header: Buffer
  readonly fileKey: Uint8Array
}

/**
 * A new file key and the age header that gives it to the recipients.
 *
 * @throws BackupError `CONFIG_INVALID` for a recipient or work factor that cannot be.
 */
export async function wrapFileKey(encryption: Encryption): Promise<WrappedFileKey> {
  const { Encrypter } = await import('age-encryption')
  const encrypter = new Encrypter()
  let fileKey: Uint8Array | undefined
  if ('passphrase' in encryption) {
    const { passphrase, workFactor = defaultWorkFactor } = encryption
    if (passphrase === '') throw new BackupError('CONFIG_INVALID', 'The passphrase is empty.')
    if (!Number.isInteger(workFactor) || workFactor < 10 || workFactor > 22) {
      throw new BackupError('CONFIG_INVALID', `The work factor ${workFactor} is not one of 10 to 22.`)
    }
    encrypter.addRecipient(createScryptRecipient(passphrase, workFactor))
  } else {
    if (encryption.recipients.length === 0)
      throw new BackupError('CONFIG_INVALID', 'There is no recipient to encrypt to.')
    for (const recipient of encryption.recipients) addRecipient(encrypter, recipient)
  }
  // The package writes the header and keeps the file key to itself; a recipient without a stanza gets to see it.
  const witness: Recipient = {
    wrapFileKey(key) {
      fileKey = Uint8Array.from(key)
      return []
    },
  }
  encrypter.addRecipient(witness)
  const emptyFile = Buffer.from(await encrypter.encrypt(new Uint8Array(0)))
  // Behind the header: the payload's nonce and one empty chunk, both to be replaced.
  const header = emptyFile.subarray(0, -32)
  if (fileKey === undefined || headerEnd(header) !== header.length) {
    throw new BackupError('INTERNAL', 'The age header does not end where it should.')
  }
  return { header, fileKey }
}

/**
 * Reads the header off a body, up to the payload's nonce.
 *
 * @throws BackupError `BODY_TRUNCATED`, `DECRYPTION_FAILED` or `BODY_UNSUPPORTED`.
 */
export async function readHeader(reader: ByteReader): Promise<Buffer> {
  let bytes: Buffer = Buffer.alloc(0)
  for (;;) {
    const more = await reader.readSome(4096)
    if (more !== undefined) bytes = Buffer.concat([bytes, more])
    checkVersion(bytes, more === undefined)
    const end = headerEnd(bytes)
    if (end !== undefined) {
      reader.unread(bytes.subarray(end))
      return bytes.subarray(0, end)
    }
    if (more === undefined) throw new BackupError('BODY_TRUNCATED', 'The body ends inside its age header.')
    if (bytes.length > maxHeaderBytes) throw new BackupError('DECRYPTION_FAILED', 'The age header has no end.')
  }
}

/**
 * The file key out of a header, its MAC held.
 *
 * @throws BackupError `IDENTITY_MISSING`, `DECRYPTION_FAILED`, `BODY_UNSUPPORTED`, or `CONFIG_INVALID` for a key that
 * is none.
 */
export async function unwrapFileKey(header: Buffer, keys: DecryptionKeys = {}): Promise<Uint8Array> {
  const { identities = [], passphrase, maxWorkFactor = defaultMaxWorkFactor } = keys
  const needsPassphrase = /^-> scrypt /m.test(header.toString('latin1'))
  if (needsPassphrase && passphrase === undefined) {
    throw new BackupError('IDENTITY_MISSING', 'The body is locked with a passphrase, and none is given.')
  }
  if (!needsPassphrase && identities.length === 0) {
    throw new BackupError('IDENTITY_MISSING', 'The body is encrypted to recipients, and no identity is given.', {
      hint: 'An identity is the line AGE-SECRET-KEY-1… that belongs to one of the recipients.',
    })
  }
  const { Decrypter } = await import('age-encryption')
  const decrypter = new Decrypter()
  if (needsPassphrase) decrypter.addIdentity(createScryptIdentity(passphrase ?? '', maxWorkFactor))
  else for (const [index, identity] of identities.entries()) addIdentity(decrypter, identity, index)
  let hasNoneMatched = false
  const last: Identity = {
    unwrapFileKey() {
      hasNoneMatched = true
      return null
    },
  }
  decrypter.addIdentity(last)
  try {
    return await decrypter.decryptHeader(new Uint8Array(header))
  } catch (error) {
    if (isBackupError(error)) throw error
    if (hasNoneMatched && needsPassphrase) {
      throw new BackupError('DECRYPTION_FAILED', 'The passphrase does not open the body, or its age header is damaged.')
    }
    if (hasNoneMatched) {
      const count = identities.length === 1 ? 'The identity given does not open' : 'None of the identities given opens'
      throw new BackupError('IDENTITY_MISSING', `${count} the body, or its age header is damaged.`, {
        hint: 'The manifest lists the recipients the body is encrypted to.',
      })
    }
    throw new BackupError('DECRYPTION_FAILED', `The age header is damaged: ${messageOf(error)}.`, { cause: error })
  }
}

function addRecipient(encrypter: { addRecipient(recipient: string): void }, recipient: string): void {
  try {
    encrypter.addRecipient(recipient)
  } catch (error) {
    throw new BackupError('CONFIG_INVALID', `"${recipient}" is not an age recipient.`, {
      hint: 'A recipient starts with age1. `age-keygen` prints one with its identity.',
      cause: error,
    })
  }
}

function addIdentity(decrypter: { addIdentity(identity: string): void }, identity: string, index: number): void {
  try {
    decrypter.addIdentity(identity.trim())
  } catch {
    // Without the cause: the decoder's message quotes the secret.
    throw new BackupError('CONFIG_INVALID', `Identity ${index + 1} is not an age identity.`, {
      hint: 'An identity is one line that starts with AGE-SECRET-KEY-1.',
    })
  }
}

function checkVersion(bytes: Buffer, isWhole: boolean): void {
  const start = bytes.subarray(0, versionLine.length).toString('latin1')
  if (start === versionLine || (!isWhole && versionLine.startsWith(start))) return
  if (isWhole && versionLine.startsWith(start)) {
    throw new BackupError(
      'BODY_TRUNCATED',
      start === '' ? 'The body is empty.' : 'The body ends inside its age header.',
    )
  }
  if (start.startsWith('-----BEGIN AGE')) {
    throw new BackupError('BODY_UNSUPPORTED', 'The body is an armored age file; bodies are stored in binary.', {
      hint: "Take the armor off: sed '1d;$d' FILE | base64 -d",
    })
  }
  if (start.startsWith('age-encryption.org/')) {
    throw new BackupError('BODY_UNSUPPORTED', 'The body is an age file of another version than v1.')
  }
  throw new BackupError('DECRYPTION_FAILED', 'The body does not start with an age header.')
}

/** Where the header ends: behind the line of its MAC. */
function headerEnd(bytes: Buffer): number | undefined {
  const macLine = bytes.indexOf('\n--- ')
  if (macLine === -1) return undefined
  const end = bytes.indexOf('\n', macLine + 1)
  return end === -1 ? undefined : end + 1
}
