import { createReadStream, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { Command } from 'commander'
import { verifyLtx } from './decode.ts'
import { describeError, dumpLines, headerFields } from './dump.ts'
import type { LtxError } from './ltx-error.ts'
import { parseLtxName } from './ltx-name.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

// `ltx dump file | head` closes our output early; that is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

/** A file that is named like one of a replica must hold what its name says. */
function nameOf(path: string): { readonly name?: string } {
  return parseLtxName(basename(path)) ? { name: basename(path) } : {}
}

function fail(path: string, error: unknown): void {
  for (const line of describeError(path, error)) console.error(line)
  process.exitCode = 1
}

async function dump(path: string, options: { readonly pages: boolean }): Promise<void> {
  try {
    for await (const line of dumpLines(createReadStream(path), options)) console.log(line)
  } catch (error) {
    fail(path, error)
  }
}

async function verify(paths: readonly string[], options: { readonly json?: boolean }): Promise<void> {
  for (const path of paths) {
    try {
      const { header, ...summary } = await verifyLtx(createReadStream(path), nameOf(path))
      const checksum = summary.fileChecksum.toString(16)
      if (options.json) {
        const { pageCount, sizeBytes } = summary
        console.log(
          JSON.stringify({ path, ok: true, ...headerFields(header), pageCount, sizeBytes, fileChecksum: checksum }),
        )
      } else {
        const pages = summary.pageCount === 1 ? '1 page' : `${summary.pageCount} pages`
        console.log(`${path}: ok, ${pages}, ${summary.sizeBytes} bytes, file checksum ${checksum}`)
      }
    } catch (error) {
      if (options.json) {
        const { code, message, offset, rule, hint } = error as Partial<LtxError>
        console.log(JSON.stringify({ path, ok: false, code, message, offset, rule, hint }))
        process.exitCode = 1
      } else fail(path, error)
    }
  }
}

const program = new Command('ltx')
  .description('Look into LTX files, the format of Litestream 0.5.')
  .version(version)
  .showHelpAfterError()

program
  .command('dump')
  .description('print header, pages and checks of a file')
  .argument('<file>', 'an LTX file')
  .option('--no-pages', 'leave out the list of pages')
  .action(dump)

program
  .command('verify')
  .description('read files to their end and check everything that can be checked; exit code 1 if one is not sound')
  .argument('<file...>', 'LTX files; names like 0000000000000001-0000000000000001.ltx are compared with the header')
  .option('--json', 'one line of JSON per file')
  .action(verify)

await program.parseAsync()
