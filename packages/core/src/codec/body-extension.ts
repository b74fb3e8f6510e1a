import type { Compression } from './codec.ts'

const endings: Readonly<Record<Compression, string>> = { zst: '.zst', gz: '.gz', none: '' }

export interface BodyKind {
  readonly compression: Compression
  readonly encrypted: boolean
}

/** How a body's name ends: `.db.zst`, `.db.gz`, `.db`, and `.age` behind it when encrypted. */
export function bodyExtension(compression: Compression, encrypted: boolean): string {
  return `.db${endings[compression]}${encrypted ? '.age' : ''}`
}

/** What a body's name says about it; undefined when it does not end like a body. */
export function parseBodyExtension(name: string): BodyKind | undefined {
  const match = /\.db(?:\.(zst|gz))?(\.age)?$/.exec(name)
  if (match === null) return undefined
  const compression = match[1] === 'zst' || match[1] === 'gz' ? match[1] : 'none'
  return { compression, encrypted: match[2] !== undefined }
}
