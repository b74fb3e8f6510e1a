import type { Options } from 'tsup'

/** What every package of the suite shares: ESM only, types beside, no source maps of our comments lost. */
export const base = {
  format: 'esm',
  target: 'node22',
  platform: 'node',
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
  splitting: true,
  clean: true,
  treeshake: true,
  // `node:sqlite` exists only with its prefix.
  removeNodeProtocol: false,
} satisfies Options
