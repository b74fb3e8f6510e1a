import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: ['packages/*', 'examples', 'examples/*/vitest.config.ts', 'test'],
    reporters: ['default'],
    // Most tests wait for processes of their own: two files at a time keep two cores busy.
    maxWorkers: 2,
  },
})
