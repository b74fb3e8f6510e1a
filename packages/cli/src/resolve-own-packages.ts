import { registerHooks } from 'node:module'

/**
 * Lets a config file import `@sqlite-backup/core` where it is not installed, as with `npx`: then it gets the CLI's own.
 * What is installed beside the config goes first.
 */
export function resolveOwnPackages(): void {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (!specifier.startsWith('@sqlite-backup/')) return nextResolve(specifier, context)
      try {
        return nextResolve(specifier, context)
      } catch (error) {
        try {
          return nextResolve(specifier, { ...context, parentURL: import.meta.url })
        } catch {
          // Neither has it: the config's own error names the file that wants it.
          throw error
        }
      }
    },
  })
}
