import { portableSigner } from '@segue/core'
import { createSeededRandom } from '@segue/core/testing'
import { expect, test } from 'vitest'
import { nativeSigner } from './native-signer.ts'

test('gives the very bytes that the portable one gives', () => {
  const random = createSeededRandom(1)
  for (const length of [0, 1, 31, 200, 10_000]) {
    const [message, seed] = [random.bytes(length), random.bytes(32)]
    expect(nativeSigner.sign(message, seed)).toEqual(portableSigner.sign(message, seed))
  }
})

test('refuses a seed of another length', () => {
  expect(() => nativeSigner.sign(new Uint8Array(1), new Uint8Array(31))).toThrow()
})
