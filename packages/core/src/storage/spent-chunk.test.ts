import { expect, test } from 'vitest'
import { disposableChunk, disposeChunk } from './spent-chunk.ts'

test('gives the memory of a chunk back, once, when its maker allowed that', () => {
  const chunk = disposableChunk(new Uint8Array(1000))
  disposeChunk(chunk)
  expect(chunk.byteLength).toBe(0)
  disposeChunk(chunk)
})

test('leaves a chunk alone whose maker said nothing', () => {
  const chunk = new Uint8Array(1000)
  disposeChunk(chunk)
  expect(chunk.byteLength).toBe(1000)
})

test('leaves slices alone, and what they are slices of', () => {
  const whole = new Uint8Array(1000)
  const slice = disposableChunk(whole.subarray(0, 500))
  disposeChunk(slice)
  disposeChunk(whole)
  expect(whole.byteLength).toBe(1000)

  const own = disposableChunk(new Uint8Array(1000))
  disposeChunk(own.subarray(1))
  expect(own.byteLength).toBe(1000)
})
