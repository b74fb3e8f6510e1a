import { readFile } from 'node:fs/promises'

/** The JSON in a file of ours; undefined when there is no such file. @throws SyntaxError */
export async function readJson(file: string): Promise<unknown> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return JSON.parse(text)
}
