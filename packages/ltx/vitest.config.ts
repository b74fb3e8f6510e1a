import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    name: 'ltx',
    include: ['src/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // Concurrent tests each wait for a process that loads Litestream's 84 MB.
    maxConcurrency: 2,
  },
})
