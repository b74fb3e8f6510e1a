import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    name: 'express',
    include: ['src/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
  },
})
