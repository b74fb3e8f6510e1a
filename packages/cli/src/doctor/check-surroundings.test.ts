import { describe, expect, it } from 'vitest'
import { checkSurroundings, judgeInit } from './check-surroundings.ts'

describe('judgeInit', () => {
  it.each(['npm start', 'npm', 'sh', 'bash', 'yarn'])('warns when process 1 is %s', (name) => {
    expect(judgeInit(name)).toMatchObject([{ level: 'warning', code: 'INIT_SWALLOWS_SIGNALS' }])
  })

  it.each(['node', 'systemd', 'tini', 'docker-init', 'sqlite-backup-init', 'shepherd', undefined])(
    'is content with %s',
    (name) => {
      expect(judgeInit(name)).toEqual([])
    },
  )
})

describe('checkSurroundings', () => {
  it('names Node and the platform', () => {
    expect(checkSurroundings()[0]?.message).toBe(`Node ${process.versions.node} on ${process.platform} ${process.arch}`)
  })
})
