// Writes src/assets/embedded.ts from assets/: the package carries them as text, so a bundled app has them too.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const dir = join(import.meta.dirname, '..')

export function embeddedSource() {
  const read = (name) => JSON.stringify(readFileSync(join(dir, 'assets', name), 'utf8'))
  return `// Made by scripts/embed-assets.mjs from assets/. Run \`node scripts/embed-assets.mjs\` after a change there.
// biome-ignore-all format: made by a script
// biome-ignore-all lint: made by a script
export const style = ${read('admin.css')}
export const script = ${read('admin.js')}
export const icon = ${read('icon.svg')}
`
}

if (process.argv[1] === import.meta.filename) writeFileSync(join(dir, 'src/assets/embedded.ts'), embeddedSource())
