/** What somebody did, as it is shown to people: the page and the command line say the same. */
const actionTexts: Readonly<Record<string, string>> = {
  'backup.requested': 'backed up',
  'backup.kept': 'kept a backup',
  'backup.unkept': 'stopped keeping a backup',
  'verify.requested': 'verified a backup',
  'compare.requested': 'compared the database with a backup',
  'download.requested': 'made a download link',
  'download.started': 'downloaded',
  'restore.requested': 'asked for a restore',
  'restore.approved': 'approved a restore',
  'restore.denied': 'denied a restore',
  'restore.started': 'started a restore',
  'restore.succeeded': 'restored',
  'restore.failed': 'tried to restore: it failed',
  'restore.broke-glass': 'restored alone, without a second person',
  'delete.started': 'began to delete a backup',
  'delete.succeeded': 'deleted a backup',
  'delete.failed': 'tried to delete a backup: it failed',
}

/** An action of the audit log in words; one that nobody here knows is shown as it is. */
export function describeAction(action: string): string {
  return Object.hasOwn(actionTexts, action) ? (actionTexts[action] ?? action) : action
}
