import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: { name: 'quickstart', include: ['*.test.ts'], pool: 'forks', testTimeout: 120_000 },
})
