import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

export const orders = sqliteTable('orders', {
  id: integer().primaryKey(),
  item: text().notNull(),
  quantity: integer().notNull().default(1),
})
