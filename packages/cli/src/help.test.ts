import { stripVTControlCharacters } from 'node:util'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { buildProgram } from './program.ts'

const program = buildProgram('1.2.3', async () => {})
const commands = [program, ...program.commands.flatMap((command) => [command, ...command.commands])]

const helpOf = (command: Command): string => stripVTControlCharacters(command.helpInformation())

describe('--help', () => {
  it.each(commands.map((command) => [command.name(), command] as const))('of %s', (_name, command) => {
    expect(helpOf(command)).toMatchSnapshot()
  })

  it.each(commands.map((command) => [command.name(), command] as const))('of %s fits 80 columns', (_name, command) => {
    const prose = helpOf(command).split('Examples:')[0] ?? ''
    for (const line of prose.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })
})
