import { defineConfig } from 'tsup'
import { base } from '../../tsup.base.ts'

export default defineConfig({
  ...base,
  entry: { index: 'src/index.ts', kysely: 'src/kysely.ts', knex: 'src/knex.ts', folder: 'src/folder.ts' },
})
