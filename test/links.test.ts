import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const documents = ['*.md', 'docs/*.md', 'bench/*.md', 'packages/*/README.md', 'examples/*/README.md'].flatMap(
  (pattern) => globSync(pattern, { cwd: root }),
)

/** Without what looks like Markdown and is code. */
function prose(text: string): string {
  return text.replace(/^( *)(```+|~~~+)[\s\S]*?^\1\2\s*$/gm, '').replace(/`[^`\n]*`/g, 'code')
}

/** The ids that GitHub gives to headings. */
function anchorsOf(file: string): ReadonlySet<string> {
  const seen = new Map<string, number>()
  const text = readFileSync(file, 'utf8').replace(/^( *)(```+|~~~+)[\s\S]*?^\1\2\s*$/gm, '')
  return new Set(
    [...text.matchAll(/^#{1,6} +(.+?) *#*$/gm)].map(([, heading = '']) => {
      const words = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      const id = words
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
        .replaceAll(' ', '-')
      const count = seen.get(id) ?? 0
      seen.set(id, count + 1)
      return count === 0 ? id : `${id}-${count}`
    }),
  )
}

/** Links that lead into this repository. */
function linksOf(document: string): readonly string[] {
  const text = prose(readFileSync(join(root, document), 'utf8'))
  const links = [...text.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)|^\[[^\]]+\]:\s*(\S+)/gm)]
  return links
    .map(([, inline, reference]) => inline ?? reference ?? '')
    .filter((link) => !/^[a-z][a-z0-9+.-]*:/i.test(link))
}

function wrongLinks(document: string): readonly string[] {
  const file = join(root, document)
  return linksOf(document).flatMap((link) => {
    const [path = '', anchor] = decodeURI(link).split('#')
    const target = path === '' ? file : resolve(dirname(file), path)
    if (relative(root, target).startsWith('..')) return [`${link} leads out of the repository`]
    if (!existsSync(target)) return [`${link}: there is no ${relative(root, target)}`]
    if (anchor === undefined) return []
    const page = statSync(target).isDirectory() ? join(target, 'README.md') : target
    return anchorsOf(page).has(anchor) ? [] : [`${link}: ${relative(root, page)} has no heading "${anchor}"`]
  })
}

describe('links in the documentation', () => {
  it('are read at all', () => {
    expect(documents).toEqual(expect.arrayContaining(['README.md', 'DEVELOPERS.md', 'docs/3-restore.md']))
    expect(documents.flatMap(linksOf).length).toBeGreaterThan(50)
    expect(documents.flatMap(linksOf).filter((link) => link.includes('#')).length).toBeGreaterThan(5)
  })

  it.each(documents)('%s leads to what is there', (document) => expect(wrongLinks(document)).toEqual([]))
})
