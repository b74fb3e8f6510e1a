/** What Fastify passes on of its own options of `register`. */
const fastifys = ['prefix', 'logLevel', 'logSerializers', 'name']

/** The options of a plugin that are its own. */
export function withoutFastifys<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([key]) => !fastifys.includes(key))) as T
}
