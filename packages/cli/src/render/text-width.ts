import { stripVTControlCharacters } from 'node:util'

const wide =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\uff01-\uff60]/u
const invisible = /[\p{Mark}\u200b-\u200d]/u

/** Columns a text takes in a terminal. */
export function textWidth(text: string): number {
  let width = 0
  for (const character of stripVTControlCharacters(text)) {
    if (invisible.test(character)) continue
    width += wide.test(character) ? 2 : 1
  }
  return width
}

/** The text in lines of at most `columns`, broken at spaces. A longer word stays whole. */
export function wrap(text: string, columns: number): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const line = lines.at(-1)
    if (line !== undefined && textWidth(line) + 1 + textWidth(word) <= columns)
      lines[lines.length - 1] = `${line} ${word}`
    else lines.push(word)
  }
  return lines
}

/** The text, filled with spaces to `width` columns. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const fill = ' '.repeat(Math.max(0, width - textWidth(text)))
  return align === 'left' ? text + fill : fill + text
}
