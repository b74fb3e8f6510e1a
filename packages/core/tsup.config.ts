import { defineConfig } from 'tsup'
import { base } from '../../tsup.base.ts'

export default defineConfig({
  ...base,
  dts: { ...base.dts, entry: { index: 'src/index.ts', boot: 'src/boot.ts', testing: 'src/testing.ts' } },
  entry: {
    index: 'src/index.ts',
    boot: 'src/boot.ts',
    testing: 'src/testing.ts',
    'capture-process': 'src/capture/main.ts',
    'work-process': 'src/work/main.ts',
    'last-backup-process': 'src/last-backup-process.ts',
  },
})
