import { type Command, type Help, Option } from 'commander'
import { exitCodeMeanings } from './exit-codes.ts'
import { createStyle, type Style } from './render/style.ts'

const style: Style = createStyle(process.stdout)
const maxColumns = 100

export type Example = readonly [what: string, line: string]

const examplesOf = new WeakMap<Command, readonly Example[]>()

/** Gives a command examples, which its help shows. */
export function withExamples(command: Command, examples: readonly Example[]): Command {
  examplesOf.set(command, examples)
  return command
}

/** How help looks: what it is for, commands or arguments, flags, examples. */
export const helpFormat: Partial<Help> = {
  showGlobalOptions: true,
  formatHelp: (command, helper) =>
    [...introduction(command, helper), ...termSections(command, helper), ...endSections(command)].join('\n'),
  commandUsage: (command) =>
    `${pathOf(command)} ${command
      .usage()
      .replace(/^\[options\] ?(.*)$/, '$1 [options]')
      .trim()}`,
  subcommandTerm: (command) => command.name(),
}

function introduction(command: Command, helper: Help): readonly string[] {
  const columns = Math.min(helper.helpWidth ?? 80, maxColumns)
  return [
    ...helper.boxWrap(helper.commandDescription(command), columns).split('\n'),
    '',
    `${style.bold('Usage:')} ${helper.commandUsage(command).replace(pathOf(command), style.accent(pathOf(command)))}`,
    '',
  ]
}

interface Term {
  readonly term: string
  readonly description: string
}

/** All sections with terms share one column for their descriptions. */
function termSections(command: Command, helper: Help): readonly string[] {
  const isRoot = command.parent === null
  const option = (each: Option): Term => ({
    term: helper.optionTerm(each),
    description: helper.optionDescription(each),
  })
  const groups = Map.groupBy(helper.visibleCommands(command), (each) => each.helpGroup() || 'Commands:')
  const sections: readonly (readonly [title: string, terms: readonly Term[]])[] = [
    ...[...groups].map(
      ([title, commands]) =>
        [
          title,
          commands.map((each) => ({ term: each.name(), description: helper.subcommandDescription(each) })),
        ] as const,
    ),
    [
      'Arguments:',
      helper.visibleArguments(command).map((each) => ({
        term: helper.argumentTerm(each),
        description: helper.argumentDescription(each),
      })),
    ],
    [isRoot ? 'Everywhere:' : 'Options:', helper.visibleOptions(command).map(option)],
    [
      'Everywhere:',
      isRoot
        ? []
        : helper
            .visibleGlobalOptions(command)
            .filter((it) => it.long !== '--version')
            .map(option),
    ],
  ]
  const width = Math.max(...sections.flatMap(([, terms]) => terms.map(({ term }) => term.length)))
  const columns = Math.min(helper.helpWidth ?? 80, maxColumns)
  return sections
    .filter(([, terms]) => terms.length > 0)
    .flatMap(([title, terms]) => [
      style.bold(title),
      ...terms.flatMap((each) => termLines(each, width, columns, helper)),
      '',
    ])
}

function termLines({ term, description }: Term, width: number, columns: number, helper: Help): readonly string[] {
  const room = Math.max(30, columns - width - 4)
  return helper
    .boxWrap(description, room)
    .split('\n')
    .map((line, at) => `  ${style.accent((at === 0 ? term : '').padEnd(width))}  ${line}`)
}

function endSections(command: Command): readonly string[] {
  const examples = examplesOf.get(command) ?? []
  const isRoot = command.parent === null
  return [
    ...(examples.length === 0 ? [] : [style.bold('Examples:')]),
    ...examples.flatMap(([what, line]) => [`  ${style.dim(`# ${what}`)}`, `  ${line}`]),
    ...(examples.length === 0 ? [] : ['']),
    ...(isRoot
      ? [
          style.bold('Exit codes:'),
          ...exitCodeMeanings.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`),
          '',
        ]
      : []),
  ]
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`
}

/** A flag that may be given several times, or as a list with commas. */
export function listOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, before: readonly string[] | undefined) => [
    ...(before ?? []),
    ...value.split(',').filter((part) => part !== ''),
  ])
}
