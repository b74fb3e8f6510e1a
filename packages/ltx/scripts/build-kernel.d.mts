/** The text of src/kernel/wasm-bytes.ts as compiled from wasm/kernel.ts. */
export function compileKernel(): Promise<string>
