import { expect, test } from 'vitest'
import { createGroupLogCast } from '../testing/group-log.ts'
import { createAdmission, type AdmissionLimits } from './admission.ts'
import type { SignedEntry } from './entry.ts'
import { createGroupGraph, type GroupGraph } from './resolve.ts'

const cast = createGroupLogCast(40)
const { laptop, desk, phone, stranger, genesis } = cast
const deskAdded = cast.add(laptop, [genesis], desk)
const phoneAdded = cast.add(laptop, [deskAdded], phone)

function admission(limits: AdmissionLimits = {}, maxEntries = 100): { graph: GroupGraph; may: (entry: SignedEntry) => boolean } {
  const graph = createGroupGraph(genesis.group, { maxEntries })
  graph.addAll([genesis, deskAdded])
  const knows = (author: string): boolean => graph.evaluation().devices.some(({ id }) => id === author)
  return { graph, may: createAdmission(graph, knows, limits) }
}

test('[G35] an entry of another group, or of somebody nobody added, is not stored', () => {
  const { may } = admission()
  const other = createGroupLogCast(41)
  expect(may(other.add(other.laptop, [other.genesis], other.desk))).toBe(false)
  expect(may(cast.rename(stranger, [deskAdded], stranger, 'me too'))).toBe(false)
  expect([genesis, deskAdded, phoneAdded, cast.rename(desk, [deskAdded], desk, 'tower')].map(may)).toEqual([true, true, true, true])
})

test('[G35] entries may come before their parents, and before their author was added, so many of each', () => {
  const { graph, may } = admission({ maxWaiting: 3, maxUnknown: 1 })
  const byPhone = [0, 1].map(i => cast.rename(phone, [phoneAdded], phone, `name ${i}`))
  expect(byPhone.map(may)).toEqual([true, false])
  const [first, ...others] = [0, 1, 2].map(i => cast.rename(desk, [phoneAdded], desk, `name ${i}`)) as [SignedEntry, ...SignedEntry[]]
  expect([first, ...others].map(may)).toEqual([true, true, false])
  expect(may(first)).toBe(true)
  graph.addAll([phoneAdded, ...byPhone, first])
  expect(others.map(may)).toEqual([true, true])
})

test('[G35] in a full log there is room for decisions and for who has said less, not for more of who filled it', () => {
  const { graph, may } = admission({}, 6)
  const flood = [0, 1, 2].map(i => cast.rename(desk, [deskAdded], desk, `name ${i}`)).sort((a, b) => (a.id < b.id ? -1 : 1))
  graph.addAll([phoneAdded, ...flood])
  const last = cast.rename(desk, [flood[2] as SignedEntry], desk, 'more')
  expect(may(last)).toBe(false)
  expect(may(cast.add(phone, [phoneAdded], stranger))).toBe(true) // decides nothing, and is the first the phone says
  const decision = cast.add(laptop, [phoneAdded], stranger)
  expect(may(decision)).toBe(true)
  graph.add(decision)
  expect(graph.has((flood[2] as SignedEntry).id)).toBe(false)
  expect(may(flood[2] as SignedEntry)).toBe(false)
})
