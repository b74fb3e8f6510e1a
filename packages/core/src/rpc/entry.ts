/**
 * Where a child process starts: `src/<room>/main.ts` when run from source, `dist/<name>-process.js` once built.
 * tsup puts every shared chunk at the root of dist, so the built file is always a sibling.
 */
export function processEntry(room: 'capture' | 'work'): URL {
  return import.meta.url.endsWith('.ts')
    ? new URL(`../${room}/main.ts`, import.meta.url)
    : new URL(`./${room}-process.js`, import.meta.url)
}

export const bundledHint =
  'Mark @sqlite-backup/core as external in your bundler (esbuild: --external:@sqlite-backup/*; Next.js: serverExternalPackages).'
