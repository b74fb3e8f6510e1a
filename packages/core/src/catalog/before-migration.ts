const PREFIX = 'before-migration:'

/** The tag in a reference `before-migration:<tag>`; undefined for any other reference. */
export function parseBeforeMigration(reference: string): string | undefined {
  return reference.startsWith(PREFIX) && reference.length > PREFIX.length ? reference.slice(PREFIX.length) : undefined
}
