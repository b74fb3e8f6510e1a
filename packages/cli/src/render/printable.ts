// Control characters but tab and newline, unless they begin one of our colours.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unprintable = /(?!\u001b\[\d+(?:;\d+)*m)[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** Text that cannot steer a terminal: names and messages come from storages that others may write to. */
export function printable(text: string): string {
  return text.replaceAll(unprintable, '\ufffd')
}
