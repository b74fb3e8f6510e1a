import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto'
import type { Identity, Recipient } from 'age-encryption'
import { BackupError } from '../errors.ts'

/** log2 of N when none is given: 64 MiB of memory for a moment. */
export const defaultWorkFactor = 16
/** What the age CLI uses: 256 MiB. A header that asks for more could only exhaust the memory. */
export const defaultMaxWorkFactor = 18

const label = 'age-encryption.org/v1/scrypt'
/** The wrapping key is used once, so its nonce is zero: https://c2sp.org/age#the-scrypt-recipient-type */
const nonce = Buffer.alloc(12)

/**
 * age's passphrase stanza with Node's own scrypt, which runs on the thread pool; the package's is JavaScript and blocks.
 */
export function createScryptRecipient(passphrase: string, workFactor: number): Recipient {
  return {
    async wrapFileKey(fileKey) {
      const { Stanza } = await import('age-encryption')
      const salt = randomBytes(16)
      const key = await deriveKey(passphrase, salt, workFactor)
      const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
      const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()])
      return [new Stanza(['scrypt', unpadded(salt), String(workFactor)], new Uint8Array(body))]
    },
  }
}

export function createScryptIdentity(passphrase: string, maxWorkFactor: number): Identity {
  return {
    async unwrapFileKey(stanzas) {
      const stanza = stanzas.find(({ args }) => args[0] === 'scrypt')
      if (stanza === undefined) return null
      const [, saltText = '', workText = ''] = stanza.args
      const salt = Buffer.from(saltText, 'base64')
      const isWellFormed =
        stanzas.length === 1 &&
        stanza.args.length === 3 &&
        salt.length === 16 &&
        unpadded(salt) === saltText &&
        /^[1-9][0-9]{0,2}$/.test(workText) &&
        stanza.body.length === 32
      if (!isWellFormed) throw new Error('the scrypt stanza is malformed')
      const workFactor = Number(workText)
      if (workFactor > maxWorkFactor) throw workFactorError(workFactor, maxWorkFactor)
      const key = await deriveKey(passphrase, salt, workFactor)
      const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
      const fileKey = decipher.update(stanza.body.subarray(0, 16))
      decipher.setAuthTag(stanza.body.subarray(16))
      try {
        decipher.final()
      } catch {
        // A wrong tag: not this passphrase.
        return null
      }
      return new Uint8Array(fileKey)
    },
  }
}

function deriveKey(passphrase: string, salt: Buffer, workFactor: number): Promise<Buffer> {
  const cost = 2 ** workFactor
  return new Promise((resolve, reject) => {
    const options = { N: cost, r: 8, p: 1, maxmem: 128 * 8 * cost + 1024 * 1024 }
    scrypt(passphrase, Buffer.concat([Buffer.from(label), salt]), 32, options, (error, key) =>
      error === null ? resolve(key) : reject(error),
    )
  })
}

function workFactorError(workFactor: number, maxWorkFactor: number): BackupError {
  return new BackupError(
    'BODY_UNSUPPORTED',
    `The body's passphrase work factor is ${workFactor}: opening it needs 2^${workFactor - 10} MiB of memory.`,
    { hint: `At most ${maxWorkFactor} is accepted. Decrypt it with \`age -d\` on a larger machine.` },
  )
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
