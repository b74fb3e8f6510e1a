/** What goes into a new config file. */
export interface ConfigChoices {
  readonly databases: readonly { readonly name: string; readonly path: string }[]
  readonly storages: readonly { readonly name: string; readonly url: string }[]
}

/** A config file that explains itself. */
export function configTemplate({ databases, storages }: ConfigChoices): string {
  const hasOffsite = storages.some(({ url }) => url.startsWith('s3://'))
  return `// What is backed up, and where to. \`npx @sqlite-backup/cli config check\` shows the outcome.
import { defineConfig } from '@sqlite-backup/core'

export default defineConfig({
  // The name is part of every key in a storage: it should not change.
  databases: {
${databases.map(({ name, path }) => `    ${key(name)}: ${text(path)},`).join('\n')}
  },

  storages: {
${storages.map(storageLines).join('\n')}${hasOffsite ? '' : "\n    // Another place, so that a lost disk is not a lost backup:\n    // offsite: 's3://bucket/prefix',"}
  },

  // Encrypt for these age recipients (\`age-keygen\` makes a pair). Restoring takes an identity.
  // encryption: { recipients: ['age1…'] },

  // When a backup counts as done: 'stored', 'checked' (read back) or 'proven' (restored).
  // verify: { afterBackup: 'checked' },

  // An engine of another environment is refused: staging never restores into production.
  // environment: process.env.NODE_ENV,
})
`
}

function storageLines({ name, url }: ConfigChoices['storages'][number]): string {
  const comment = url.startsWith('s3://')
    ? '    // Credentials come from the environment (AWS_ACCESS_KEY_ID and so on), never from this file.'
    : "    // A folder. On the database's own disk it helps against mistakes, not against a lost disk."
  return `${comment}\n    ${key(name)}: ${text(url)},`
}

function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : text(name)
}

function text(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
