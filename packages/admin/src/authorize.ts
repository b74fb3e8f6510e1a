/** What somebody may do here. */
export const permissions = ['view', 'backup', 'download', 'delete', 'restore:request', 'restore:approve'] as const
export type Permission = (typeof permissions)[number]

/** Who acts: the id stands in the audit log, and two approvals come from two ids. */
export interface Actor {
  readonly id: string
  /** For people; the id when it is absent. */
  readonly name?: string
}

/** Somebody the host knows, and what they may do. */
export interface Grant {
  readonly actor: Actor
  /** @default ['view'] */
  readonly permissions?: 'all' | readonly Permission[]
}

/**
 * Asked before anything else, for every request. `null`: nobody may (403). A `Response` is sent as it is: a redirect to
 * the login, for example.
 */
export type Authorize<Input> = (
  input: Input,
) => Grant | Response | null | undefined | Promise<Grant | Response | null | undefined>

/** A grant whose every field is decided. */
export interface Access {
  readonly actor: Actor
  can(permission: Permission): boolean
}

/** What a grant allows. @throws TypeError when it names no actor or an unknown permission: a bug of the host. */
export function toAccess(grant: Grant): Access {
  const { actor, permissions: granted = ['view'] } = grant
  if (typeof actor?.id !== 'string' || actor.id.trim() === '' || actor.id.length > 200) {
    throw new TypeError('authorize() should name the actor: { actor: { id: "ann@example.com" }, permissions: "all" }')
  }
  for (const permission of granted === 'all' ? [] : granted) {
    if (!permissions.includes(permission)) {
      throw new TypeError(
        `authorize() gave the permission ${JSON.stringify(permission)}. There are: ${permissions.join(', ')}.`,
      )
    }
  }
  const allowed = new Set<Permission>(granted === 'all' ? permissions : granted)
  const { id, name } = actor
  return {
    actor: { id, ...(typeof name === 'string' && name !== '' ? { name: name.slice(0, 200) } : {}) },
    can: (permission) => allowed.has(permission),
  }
}
