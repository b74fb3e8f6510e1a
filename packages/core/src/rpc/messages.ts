import type { SerializedError } from '../errors.ts'

/** What parent and child say to each other over the `advanced` IPC channel. */
export type Message =
  | { readonly type: 'call'; readonly id: number; readonly method: string; readonly params: unknown }
  | { readonly type: 'abort'; readonly id: number }
  | { readonly type: 'event'; readonly id: number; readonly event: unknown }
  | { readonly type: 'result'; readonly id: number; readonly value: unknown }
  | { readonly type: 'error'; readonly id: number; readonly error: SerializedError }

/** A table of callable methods: name → what goes in, what comes out, what is told on the way. */
export type MethodTable = Record<
  string,
  { readonly params: unknown; readonly result: unknown; readonly event?: unknown }
>

export type EventOf<T extends MethodTable, M extends keyof T> = T[M] extends { readonly event: infer E } ? E : never

export function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && 'type' in value && 'id' in value
}
