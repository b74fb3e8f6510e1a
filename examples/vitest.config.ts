import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: { name: 'examples', include: ['*.test.ts'], pool: 'forks', testTimeout: 240_000, hookTimeout: 600_000 },
})
