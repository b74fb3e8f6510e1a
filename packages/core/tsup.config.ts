import { defineConfig } from 'tsup'
import { base } from '../../tsup.base.ts'

export default defineConfig({
  ...base,
  entry: {
    index: 'src/index.ts',
    testing: 'src/testing.ts',
    'capture-process': 'src/capture/main.ts',
    'work-process': 'src/work/main.ts',
  },
})
