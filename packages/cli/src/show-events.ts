import type { BackupEvents, EventName, SqliteBackup } from '@sqlite-backup/core'
import type { ProgressUpdate } from './render/progress-step.ts'
import type { Terminal } from './terminal.ts'

/** Shows what an engine does: as JSON lines, or as progress and messages. */
export function showEvents(engine: SqliteBackup, terminal: Terminal): void {
  if (terminal.isJson) {
    if (!terminal.isQuiet) engine.onAny((event, payload) => terminal.printJson({ event, ...payload }))
    return
  }
  const show = <N extends EventName>(name: N, toUpdate: (event: BackupEvents[N]) => ProgressUpdate): void => {
    engine.on(name, (event) => terminal.progress.update(toUpdate(event)))
  }
  show('backup.progress', ({ database, phase, storage, doneBytes, totalBytes }) => ({
    label: [database, phase, ...(storage === undefined ? [] : [storage])].join(' '),
    doneBytes,
    totalBytes,
  }))
  show('restore.progress', ({ database, phase, doneBytes, totalBytes }) => ({
    label: `${database} ${phase}`,
    doneBytes,
    totalBytes,
  }))
  show('verify.progress', ({ database, id, doneBytes, totalBytes }) => ({
    label: `${database} verify`,
    subject: id,
    doneBytes,
    totalBytes,
  }))
  for (const name of ['backup.succeeded', 'restore.succeeded', 'verify.succeeded'] as const) {
    engine.on(name, () => terminal.progress.complete())
  }
  engine.on('storage.retried', ({ storage, operation, attempt, error }) =>
    terminal.warn(`${storage}: ${operation} is tried again (attempt ${attempt}): ${error.message}`),
  )
  engine.on('lineage.forked', ({ database, storage, tips }) =>
    terminal.warn(
      `${storage}: two writers of ${database} went on from one backup; the newest of each: ${tips.join(', ')}.`,
    ),
  )
  engine.on('restore.brokeGlass', ({ database, actor }) =>
    terminal.warn(
      `${actor} restores ${database} without a second person. It is written down and on the admin page for two days.`,
    ),
  )
  engine.on('restore.fellBack', ({ id, error }) =>
    terminal.warn(`${id} is damaged (${error.message}); an older backup was restored instead.`),
  )
}
