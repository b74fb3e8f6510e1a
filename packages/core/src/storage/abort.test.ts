import { describe, expect, it } from 'vitest'
import { orAborted, untilAborted } from './abort.ts'

async function* slow(log: string[]): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield Buffer.from('one')
    await new Promise((resolve) => setImmediate(resolve))
    yield Buffer.from('two')
  } finally {
    log.push('closed')
  }
}

describe('untilAborted', () => {
  it('passes everything on, and closes its source at the end and after a break', async () => {
    const log: string[] = []
    const { signal } = new AbortController()
    const seen: string[] = []
    for await (const chunk of untilAborted(slow(log), signal)) seen.push(chunk.toString())
    expect(seen).toEqual([Buffer.from('one').toString(), 'two'])
    for await (const _ of untilAborted(slow(log), signal)) break
    await new Promise((resolve) => setImmediate(resolve))
    expect(log).toEqual(['closed', 'closed'])
  })

  it('ends a wait that would never end', async () => {
    const controller = new AbortController()
    const never = (async function* (): AsyncGenerator<Uint8Array, void, void> {
      yield Buffer.from('one')
      await new Promise(() => {})
    })()
    const reading = (async () => {
      for await (const _ of untilAborted(never, controller.signal)) setImmediate(() => controller.abort())
    })()
    await expect(reading).rejects.toMatchObject({ code: 'ABORTED' })
  })
})

describe('orAborted', () => {
  it('keeps no listener on a signal that lives long', async () => {
    const { signal } = new AbortController()
    let listeners = 0
    const watched: AbortSignal = Object.assign(signal, {
      addEventListener: (...args: Parameters<AbortSignal['addEventListener']>) => {
        listeners++
        EventTarget.prototype.addEventListener.apply(signal, args)
      },
      removeEventListener: (...args: Parameters<AbortSignal['removeEventListener']>) => {
        listeners--
        EventTarget.prototype.removeEventListener.apply(signal, args)
      },
    })
    expect(await orAborted(Promise.resolve(1), watched)).toBe(1)
    await expect(orAborted(Promise.reject(new Error('no')), watched)).rejects.toThrow('no')
    expect(listeners).toBe(0)
  })
})
