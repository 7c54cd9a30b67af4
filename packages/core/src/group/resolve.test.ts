import { expect, test } from 'vitest'
import { createGroupLogCast } from '../testing/group-log.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import type { SignedEntry } from './entry.ts'
import type { GroupDevice } from './reduce.ts'
import { createGroupGraph, evaluate, type GroupEvaluation } from './resolve.ts'

const cast = createGroupLogCast(20)
const { laptop, desk, phone, stranger, genesis } = cast
const tablet = cast.device('tablet')
const deskAdded = cast.add(laptop, [genesis], desk, 'admin')
const phoneAdded = cast.add(laptop, [deskAdded], phone)
const base = [genesis, deskAdded, phoneAdded]

const evaluated = (...more: readonly SignedEntry[]): GroupEvaluation => evaluate(genesis.group, [...base, ...more])
const find = (evaluation: GroupEvaluation, device: DeviceIdentity): GroupDevice | undefined =>
  evaluation.devices.find(({ id }) => id === device.id)
const counts = (entry: SignedEntry, ...more: readonly SignedEntry[]): boolean => evaluated(...more, entry).counting.includes(entry)

test('the first device is an admin who added itself; the others follow by seniority', () => {
  const { devices, heads } = evaluated()
  expect(devices.map(({ name, role, active }) => ({ name, role, active }))).toEqual([
    { name: 'laptop', role: 'admin', active: true },
    { name: 'desk', role: 'admin', active: true },
    { name: 'phone', role: 'member', active: true },
  ])
  expect(devices[0]?.addedBy).toBe(laptop.id)
  expect(devices[2]?.sealingKey).toEqual(phone.sealing.publicKey)
  expect(heads).toEqual([phoneAdded.id])
})

test('[G5] an unknown entry by an admin asks for an update, one by a member does not, and both are kept', () => {
  const byAdmin = cast.future(desk, [phoneAdded])
  expect(evaluated(byAdmin).needsUpdate).toBe(true)
  const byMember = cast.future(phone, [phoneAdded])
  expect(evaluated(byMember).needsUpdate).toBe(false)
  expect(evaluated(byMember, byAdmin).counting).toEqual(expect.arrayContaining([byMember, byAdmin]))
})

test('[G6] an unknown entry by a device that waits for a place changes nothing', () => {
  const { devices, full, waiting } = fullGroup()
  const future = cast.future(waiting, [full.at(-1) as SignedEntry])
  expect(devices.length).toBe(33)
  expect(evaluate(genesis.group, [...full, future]).needsUpdate).toBe(false)
})

test('[G7] the entry of a stranger is not kept, nor what hangs from it', () => {
  const intruding = cast.rename(stranger, [phoneAdded], stranger, 'me too')
  const above = cast.rename(laptop, [intruding], laptop, 'above')
  const evaluation = evaluated(intruding, above, cast.future(stranger, [phoneAdded]))
  expect(evaluation.heads).toEqual([phoneAdded.id])
  expect(evaluation.needsUpdate).toBe(false)
})

test('[G7] after an unknown entry, which may have added it, the entry of a stranger is kept and does not count', () => {
  const future = cast.future(laptop, [phoneAdded])
  const entry = cast.rename(stranger, [future], stranger, 'me too')
  const evaluation = evaluated(future, entry)
  expect(evaluation.heads).toEqual([entry.id])
  expect(evaluation.refused.get(entry.id)).toBe('authorWasAdded')
})

test('[G8] of more entries than the limit the first in the order stay', () => {
  const graph = createGroupGraph(genesis.group, { maxEntries: 4 })
  const first = cast.rename(phone, [phoneAdded], phone, 'first')
  const second = cast.rename(phone, [first], phone, 'second')
  const refused = cast.rename(phone, [first], desk, 'not mine to name')
  for (const entry of [...base, first, second, refused]) graph.add(entry)
  expect(graph.evaluation().devices[2]?.name).toBe('first')
  expect(graph.evaluation().refused.size).toBe(0)
  expect(graph.ordered().length).toBe(4)
})

test('[G10] an author must be active in the past of its entry, not only by now', () => {
  const early = cast.rename(phone, [deskAdded], phone, 'too early')
  expect(find(evaluated(early), phone)?.name).toBe('phone')
  expect(evaluated(early).heads).toEqual([phoneAdded.id])
})

test('[G11] a member adds nobody and gives no roles', () => {
  expect(counts(cast.add(phone, [phoneAdded], tablet))).toBe(false)
  expect(counts(cast.role(phone, [phoneAdded], phone, 'admin'))).toBe(false)
  expect(counts(cast.add(desk, [phoneAdded], tablet))).toBe(true)
  expect(counts(cast.role(desk, [phoneAdded], phone, 'admin'))).toBe(true)
})

test('[G11] a member renames itself, an admin anybody', () => {
  expect(counts(cast.rename(phone, [phoneAdded], phone, 'pocket'))).toBe(true)
  expect(counts(cast.rename(phone, [phoneAdded], desk, 'mine'))).toBe(false)
  expect(counts(cast.rename(desk, [phoneAdded], phone, 'pocket'))).toBe(true)
})

test('[G11] a member made admin may add from then on', () => {
  const promoted = cast.role(laptop, [phoneAdded], phone, 'admin')
  expect(counts(cast.add(phone, [promoted], tablet), promoted)).toBe(true)
})

test('[G12] a device is added once along a line, and only those added are spoken about', () => {
  expect(evaluated(cast.add(laptop, [phoneAdded], phone, 'admin')).devices[2]?.role).toBe('member')
  expect(counts(cast.role(laptop, [phoneAdded], stranger, 'admin'))).toBe(false)
  expect(counts(cast.rename(laptop, [phoneAdded], stranger, 'x'))).toBe(false)
})

test('[G13] the last admin cannot step down; of two who demote each other at once the senior stays', () => {
  const deskDown = cast.role(laptop, [phoneAdded], desk, 'member')
  expect(counts(cast.role(laptop, [deskDown], laptop, 'member'), deskDown)).toBe(false)
  const laptopDown = cast.role(desk, [phoneAdded], laptop, 'member')
  const both = evaluated(deskDown, laptopDown)
  expect(both.devices.map(({ role }) => role)).toEqual(['admin', 'member', 'member'])
  expect(counts(cast.add(laptop, [deskDown, laptopDown], tablet), deskDown, laptopDown)).toBe(true)
  expect(counts(cast.add(desk, [deskDown, laptopDown], tablet), deskDown, laptopDown)).toBe(false)
})

test('[G14] of concurrent names the last by depth and id stands', () => {
  const one = cast.rename(laptop, [phoneAdded], phone, 'one')
  const two = cast.rename(phone, [phoneAdded], phone, 'two')
  const last = one.id > two.id ? 'one' : 'two'
  expect(find(evaluated(one, two), phone)?.name).toBe(last)
  const longer = cast.rename(laptop, [one], phone, 'longer')
  expect(find(evaluated(one, two, longer), phone)?.name).toBe('longer')
})

test('[G14] of concurrent roles the last by depth and id stands', () => {
  const up = cast.role(laptop, [phoneAdded], phone, 'admin')
  const down = cast.role(desk, [phoneAdded], phone, 'member')
  expect(find(evaluated(up, down), phone)?.role).toBe(up.id > down.id ? 'admin' : 'member')
})

test('[G15] what an admin did without knowing of its demotion counts', () => {
  const demoted = cast.role(laptop, [phoneAdded], desk, 'member')
  const added = cast.add(desk, [phoneAdded], tablet)
  expect(find(evaluated(demoted, added), tablet)?.active).toBe(true)
  expect(counts(cast.add(desk, [demoted], stranger), demoted)).toBe(false)
})

test('[G16] of concurrent adds of one device the first gives its place, the last said its role', () => {
  const byLaptop = cast.add(laptop, [phoneAdded], tablet, 'admin')
  const byDesk = cast.add(desk, [phoneAdded], tablet, 'member')
  const device = find(evaluated(byLaptop, byDesk), tablet)
  expect(device?.addedBy).toBe(byLaptop.id < byDesk.id ? laptop.id : desk.id)
  expect(device?.role).toBe(byLaptop.id > byDesk.id ? 'admin' : 'member')
})

test('[G17] the 33rd device waits, and so does what it writes', () => {
  const { full, waiting, devices } = fullGroup()
  expect(devices.filter(({ active }) => active).length).toBe(32)
  expect(devices.at(-1)).toMatchObject({ id: waiting.id, active: false })
  const written = cast.rename(waiting, [full.at(-1) as SignedEntry], waiting, 'here already')
  const after = evaluate(genesis.group, [...full, written])
  expect(after.refused.get(written.id)).toBe('authorWasActive')
})

test('[G17] of concurrent adds for the last place the first by depth and id gets it', () => {
  const { full } = fullGroup()
  const tail = full.at(-2) as SignedEntry // brings device 29, the 32nd
  const before = full.slice(0, -2)
  const parent = before.at(-1) as SignedEntry
  const rival = cast.add(laptop, [parent], cast.device('rival'))
  const { devices } = evaluate(genesis.group, [...before, tail, rival])
  const waiting = devices.filter(({ active }) => !active)
  expect(waiting.map(({ name }) => name)).toEqual([tail.id < rival.id ? 'rival' : 'device 29'])
})

let made: { full: readonly SignedEntry[]; waiting: DeviceIdentity; devices: readonly GroupDevice[] } | undefined
/** Laptop, desk, phone and 30 more, one after the other: the last one waits. */
function fullGroup(): { full: readonly SignedEntry[]; waiting: DeviceIdentity; devices: readonly GroupDevice[] } {
  if (made !== undefined) return made
  const full = [...base]
  let last = laptop
  for (let i = 1; i <= 30; i++) {
    last = cast.device(`device ${i}`)
    full.push(cast.add(laptop, [full.at(-1) as SignedEntry], last))
  }
  made = { full, waiting: last, devices: evaluate(genesis.group, full).devices }
  return made
}
