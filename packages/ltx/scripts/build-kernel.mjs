// Compiles wasm/kernel.ts (AssemblyScript) into src/kernel/wasm-bytes.ts. Run it after changing the former:
//   node scripts/build-kernel.mjs
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'

const SOURCE = new URL('../wasm/kernel.ts', import.meta.url)
const TARGET = new URL('../src/kernel/wasm-bytes.ts', import.meta.url)

/** The text of src/kernel/wasm-bytes.ts as compiled from wasm/kernel.ts. */
export async function compileKernel() {
  const source = await readFile(SOURCE, 'utf8')
  let binary
  const options = ['--runtime', 'stub', '--use', 'abort=', '--noAssert', '--enable', 'simd', '--initialMemory', '3']
  const { error, stderr } = await asc.main(
    ['kernel.ts', '-O3', '--maximumMemory', '3', '-o', 'kernel.wasm', ...options],
    {
      readFile: (name) => (name === 'kernel.ts' ? source : null),
      writeFile: (name, bytes) => {
        if (name === 'kernel.wasm') binary = bytes
      },
      listFiles: () => [],
    },
  )
  if (error || !binary) throw new Error(`AssemblyScript: ${stderr.toString()}`, { cause: error })
  const lines =
    Buffer.from(binary)
      .toString('base64')
      .match(/.{1,110}/g) ?? []
  return `// Made by scripts/build-kernel.mjs from wasm/kernel.ts (${binary.length} bytes). Do not edit.
export const WASM_BASE64 =
  ${lines.map((line) => `'${line}'`).join(' +\n  ')}
`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(TARGET, await compileKernel())
