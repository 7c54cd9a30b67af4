import * as A from '@automerge/automerge'
import { expect, test } from 'vitest'
import type { DeviceId } from '../../lib/ids.ts'
import { authorsIn, rootsOf } from './evidence.ts'

const [desk, tablet, phone] = ['desk', 'tablet', 'phone'] as DeviceId[] as [DeviceId, DeviceId, DeviceId]
/** The phone was removed when ten chunks had come. */
const horizons = { trustedUntil: (device: DeviceId): number => (device === phone ? 10 : Number.POSITIVE_INFINITY) }
const suspects = new Map([
  ['h1', { actor: 'first' }],
  ['h2', { actor: 'second' }],
] as const)
const said = (device: DeviceId, own: readonly string[], arrival = 20) => ({ device, arrival, claim: { own, log: [], time: 1 } })

test('[D36] a removed device cannot make an edit nobody’s by claiming it as well', () => {
  const authors = authorsIn({ claims: [said(desk, ['h1']), said(phone, ['h1', 'h2'])] }, A.init(), suspects, horizons)
  expect([...authors].map(([actor, { device }]) => [actor, device])).toEqual([
    ['first', desk],
    ['second', phone],
  ])
})

test('[D27] an actor that two devices of the group claim is nobody’s', () => {
  const authors = authorsIn({ claims: [said(desk, ['h1']), said(tablet, ['h1'])] }, A.init(), suspects, horizons)
  expect(authors.size).toBe(0)
})

test('[D35] what a removed device said counts if it had come before, for what had come then', () => {
  expect(rootsOf({ claims: [said(phone, ['h1'], 11)], keeps: [] }, horizons)).toEqual([])
  expect(rootsOf({ claims: [said(phone, ['h1'], 9)], keeps: [] }, horizons)).toEqual([{ hash: 'h1', until: 10 }])
  expect(rootsOf({ claims: [said(desk, ['h1'])], keeps: [] }, horizons)).toEqual([{ hash: 'h1', until: Number.POSITIVE_INFINITY }])
})
