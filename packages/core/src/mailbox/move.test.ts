import { expect, test } from 'vitest'
import { createSigningKeys } from '../crypto/index.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { isMailboxMoveSigned, signMailboxMove } from './move.ts'

test('[M9] a move is signed by the old admin key, over both mailboxes and the new key', () => {
  const random = createSeededRandom(3)
  const [old, other] = [createSigningKeys(random), createSigningKeys(random)]
  const move = { from: random.bytes(16), mailbox: random.bytes(16), adminKey: other.publicKey }
  const signature = signMailboxMove(move, old)
  expect(isMailboxMoveSigned(move, signature, old.publicKey)).toBe(true)
  expect(isMailboxMoveSigned(move, signature, other.publicKey)).toBe(false)
  for (const changed of [{ from: random.bytes(16) }, { mailbox: random.bytes(16) }, { adminKey: old.publicKey }]) {
    expect(isMailboxMoveSigned({ ...move, ...changed }, signature, old.publicKey)).toBe(false)
  }
})
