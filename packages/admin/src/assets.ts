import { createHash } from 'node:crypto'
import { icon, script, style } from './assets/embedded.ts'

export interface Asset {
  readonly text: string
  readonly type: string
}

/** Names change with the content, so browsers may keep them for good. */
const named = (name: string, text: string, extension: string): string =>
  `${name}-${createHash('sha256').update(text).digest('hex').slice(0, 12)}.${extension}`

export const assetNames = {
  style: named('admin', style, 'css'),
  script: named('admin', script, 'js'),
  icon: named('icon', icon, 'svg'),
} as const

export const assets: ReadonlyMap<string, Asset> = new Map([
  [assetNames.style, { text: style, type: 'text/css; charset=utf-8' }],
  [assetNames.script, { text: script, type: 'text/javascript; charset=utf-8' }],
  [assetNames.icon, { text: icon, type: 'image/svg+xml' }],
])
