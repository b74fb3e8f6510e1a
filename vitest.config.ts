import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: ['packages/*', 'examples/*/vitest.config.ts', 'test'],
    reporters: ['default'],
  },
})
