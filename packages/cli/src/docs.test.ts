import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { exitCodeMeanings } from './exit-codes.ts'
import { buildProgram } from './program.ts'

const docs = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8')
const program = buildProgram('0.0.0', async () => {})

/** The text of `## title`, up to the next. */
function section(title: string): string {
  return docs.split(/^## /m).find((part) => part.startsWith(`${title}\n`)) ?? ''
}

/** Flags written as a row of a table. */
function flagsIn(text: string): readonly string[] {
  const rows = text.split('\n').filter((line) => line.startsWith('| `-'))
  return rows.flatMap((row) =>
    [...(row.split(' | ')[0] ?? '').matchAll(/`(--?[a-zA-Z-]+)/g)].map((match) => match[1] ?? ''),
  )
}

function flagsOf(command: Command): readonly string[] {
  return command.options.flatMap(({ short, long }) => [short, long].filter((flag) => flag !== undefined))
}

describe('docs/cli.md', () => {
  it.each(program.commands.map((command) => [command.name(), command] as const))(
    'names each flag of `%s`, and no flag that it does not have',
    (name, command) => {
      expect(section(name)).not.toBe('')
      expect(flagsIn(section(name)).toSorted()).toEqual(flagsOf(command).toSorted())
      for (const inner of command.commands) expect(section(name)).toContain(`\`${name} ${inner.name()}\``)
    },
  )

  it('names the flags of all commands', () => {
    expect(flagsIn(section('Flags of all commands')).toSorted()).toEqual(
      [...flagsOf(program), '-h', '--help'].toSorted(),
    )
  })

  it('names every exit code', () => {
    for (const [code, meaning] of exitCodeMeanings) expect(section('Exit codes')).toContain(`| ${code} | ${meaning}`)
  })
})
