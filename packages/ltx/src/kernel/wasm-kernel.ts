import type { LtxKernel } from './kernel.ts'
import { WASM_BASE64 } from './wasm-bytes.ts'

/** What wasm/kernel.ts exports. */
interface KernelExports {
  readonly memory: { readonly buffer: ArrayBuffer }
  crc64(lo: number, hi: number, from: number, size: number): void
  xxh32(from: number, size: number): number
  hashPage(lo: number, hi: number, page: number, headerSize: number, size: number): number
  compress(from: number, size: number, to: number): number
  decompress(from: number, size: number, to: number, limit: number, window: number): number
}

/** The part of the WebAssembly API that is used; it is a global wherever it exists, but in no ES library of TypeScript's. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: unknown }
}

function instantiate(): KernelExports | undefined {
  const { WebAssembly: api } = globalThis as { WebAssembly?: WebAssemblyApi }
  if (!api) return undefined
  const bytes = Uint8Array.from(atob(WASM_BASE64), (char) => char.charCodeAt(0))
  try {
    return new api.Instance(new api.Module(bytes)).exports as KernelExports
  } catch {
    // Places such as Cloudflare Workers, or a content security policy, forbid compiling; JavaScript does the same, slower.
    return undefined
  }
}

const PAGE_AT = 0x4410

/** The kernel in WebAssembly with SIMD, or nothing where it may not be compiled. */
export function createWasmKernel(): LtxKernel | undefined {
  const wasm = instantiate()
  if (!wasm) return undefined
  const memory = new Uint8Array(wasm.memory.buffer)
  const result = new Int32Array(wasm.memory.buffer, 0, 2)
  return {
    name: 'wasm',
    memory,
    scratch: 0x2400,
    page: PAGE_AT,
    packed: 0x16000,
    crc64(crc, from, size) {
      wasm.crc64(crc.lo, crc.hi, from, size)
      crc.lo = result[0] ?? 0
      crc.hi = result[1] ?? 0
    },
    xxh32: (from, size) => wasm.xxh32(from, size) >>> 0,
    hashPage(crc, headerSize, size) {
      const hash = wasm.hashPage(crc.lo, crc.hi, PAGE_AT, headerSize, size) >>> 0
      crc.lo = result[0] ?? 0
      crc.hi = result[1] ?? 0
      return hash
    },
    compress: wasm.compress,
    decompress: wasm.decompress,
  }
}
