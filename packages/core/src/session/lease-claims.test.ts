import * as A from '@automerge/automerge'
import { expect, test } from 'vitest'
import { createIdentity } from '../identity/index.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { addClaim, driverOf, nextClaimCounter, readClaims } from './lease-claims.ts'
import type { SessionDoc } from './schema/shapes.ts'

const random = createSeededRandom(10)
const laptop = createIdentity({ name: 'laptop', random }).id
const desk = createIdentity({ name: 'desk', random }).id

const sessionWith = (lease: Readonly<Record<string, unknown>>): SessionDoc => ({ lease: { ...lease } }) as unknown as SessionDoc

test('[S30] a counter that leaps is no claim, so nobody can end the handovers of a session', () => {
  const doc = sessionWith({})
  addClaim(doc, { counter: 1, device: laptop, kind: 'opened', time: 0 })
  Object.assign(doc.lease, { [`9999999999/${desk}/taken`]: { time: 0 }, [`0000001002/${desk}/taken`]: { time: 0 } })
  expect(driverOf(doc)).toBe(laptop)
  expect(nextClaimCounter(doc)).toBe(2)
  addClaim(doc, { counter: 2, device: desk, kind: 'granted', time: 0 })
  expect(driverOf(doc)).toBe(desk)
})

test('[S30] a gap as honest devices leave it is none', () => {
  const doc = sessionWith({ [`0000000001/${laptop}/opened`]: { time: 0 }, [`0000000004/${desk}/taken`]: { time: 0 } })
  expect(readClaims(doc).map(({ counter }) => counter)).toEqual([4, 1])
})

test.each([
  [null],
  [5],
  [{}],
  [{ time: 'now' }],
  [{ time: 1, grant: 5 }],
  [{ time: 1, grant: null }],
  [{ time: 1, grant: { by: 'x', handoff: 'y', expiresAt: 1, signature: new Uint8Array(64) } }],
  [
    {
      time: 1,
      grant: { by: new A.ImmutableString('x'), handoff: new A.ImmutableString('y'), expiresAt: 1, signature: new Uint8Array(64) },
    },
  ],
])('[S30] a record that is none, %j, is passed over', record => {
  expect(readClaims(sessionWith({ [`0000000001/${laptop}/taken`]: record }))).toEqual([])
})
