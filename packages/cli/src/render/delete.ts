import type { DeletePlan, DeleteResult, KeepReason } from '@sqlite-backup/core'
import { formatAge, formatMoment } from './ages.ts'
import { formatBytes } from './bytes.ts'
import { keepTexts } from './prune.ts'
import { type Style, symbols } from './style.ts'
import { renderFacts } from './table.ts'

/** Whether a storage has to keep it: then all do. */
export function isHeld({ storages }: DeletePlan): boolean {
  return storages.some(({ heldBy }) => heldBy.length > 0)
}

/** What would go, and from where; or what has to stay, and why. */
export function renderDeletePlan(plan: DeletePlan, nowMs: number, style: Style): readonly string[] {
  const made = `${formatMoment(plan.created)}, ${formatAge(nowMs - Date.parse(plan.created))}`
  return [
    style.bold(isHeld(plan) ? `${plan.id} has to stay` : `Delete ${plan.id}`),
    ...renderFacts(
      [
        ['database', plan.database],
        ['made', made],
        ['tier', plan.tier],
        ...plan.storages.map(
          ({ storage, storedSizeBytes, heldBy }) =>
            [storage, [formatBytes(storedSizeBytes), ...heldBy.map(heldText)].join(', ')] as const,
        ),
      ],
      style,
    ),
  ]
}

/** A line for each storage that had it. */
export function renderDeleted({ id, storages }: DeleteResult, style: Style): readonly string[] {
  return storages.map(({ storage, ok, error }) =>
    ok
      ? `${style.good(symbols.good)} ${style.accent(id)}  ${storage}  deleted`
      : `${style.bad(symbols.bad)} ${style.accent(id)}  ${storage}  not deleted: ${error?.message}`,
  )
}

function heldText(reason: KeepReason): string {
  return `stays: ${keepTexts[reason]}`
}
