import { expect, test } from 'vitest'
import { hexId, type MailboxId } from '../lib/ids.ts'
import { createGroupLogCast } from '../testing/group-log.ts'
import type { SignedEntry } from './entry.ts'
import { evaluate, type GroupEvaluation } from './resolve.ts'

const cast = createGroupLogCast(92)
const { laptop, desk, phone, genesis } = cast
const [tablet, watch, paper] = ['tablet', 'watch', 'paper'].map(cast.device) as [Dev, Dev, Dev]
type Dev = typeof laptop
// Laptop, desk, phone and tablet: all admins, in this order of seniority.
const deskAdded = cast.add(laptop, [genesis], desk, 'admin')
const phoneAdded = cast.add(laptop, [deskAdded], phone, 'admin')
const start = cast.add(laptop, [phoneAdded], tablet, 'admin')
const base = [genesis, deskAdded, phoneAdded, start]
const evaluated = (...entries: readonly SignedEntry[]): GroupEvaluation => evaluate(genesis.group, [...base, ...entries])
const active = (...entries: readonly SignedEntry[]): string =>
  evaluated(...entries)
    .devices.flatMap(device => (device.active ? [device.name] : []))
    .join(' ')

test('[G37] what a removed device wrote stays if its removal knows of it, and is void if not', () => {
  const known = cast.add(desk, [start], watch)
  const removal = cast.remove(laptop, [known], desk)
  const unknown = cast.add(desk, [start], cast.device('late'))
  expect(active(known, removal, unknown)).toBe('laptop phone tablet watch')
  expect(evaluated(known, removal, unknown).voided).toEqual(new Set([unknown.id]))
})

test('[G37] [G38] nobody gets in by way of a voided entry: not the device it added, nor whom that one added', () => {
  const removal = cast.remove(laptop, [start], desk)
  const added = cast.add(desk, [start], watch, 'admin')
  const addedByThat = cast.add(watch, [added], cast.device('friend'), 'admin')
  const strike = cast.remove(watch, [added], laptop)
  expect(active(removal, added, addedByThat, strike)).toBe('laptop phone tablet')
  // Not even when somebody honest did not know and built on it.
  const honest = cast.rename(phone, [addedByThat], phone, 'pocket')
  expect(active(removal, added, addedByThat, strike, honest)).toBe('laptop pocket tablet')
})

test('[G38] mere descent voids nothing: an honest add after a name that the removed device gave itself', () => {
  const removal = cast.remove(laptop, [start], desk)
  const named = cast.rename(desk, [start], desk, 'still here')
  const added = cast.add(phone, [named], watch)
  expect(active(removal, named, added)).toBe('laptop phone tablet watch')
})

test('[G38] an admin by the word of a removed device is none, unless it was one before', () => {
  const member = cast.add(laptop, [start], watch)
  const removal = cast.remove(laptop, [member], desk)
  const promoted = cast.role(desk, [member], watch, 'admin')
  const added = cast.add(watch, [promoted], cast.device('friend'))
  expect(active(member, removal, promoted, added)).toBe('laptop phone tablet watch')
  // Said again of somebody who was an admin anyway: what that one does does not fall with it.
  const again = cast.role(desk, [member], phone, 'admin')
  const honest = cast.add(phone, [again], cast.device('guest'))
  expect(active(member, removal, again, honest)).toBe('laptop phone tablet watch guest')
})

test('[G39] the senior’s removal stands although a junior removed the senior at once, or had it removed', () => {
  const bySenior = cast.remove(desk, [start], tablet)
  const byJunior = cast.remove(tablet, [start], desk)
  expect(active(bySenior, byJunior)).toBe('laptop desk phone')
  const byAccomplice = cast.remove(phone, [start], desk)
  expect(active(bySenior, byAccomplice)).toBe('laptop phone')
})

test('[G39] what a senior’s removal rests on is safe from juniors', () => {
  const added = cast.add(laptop, [genesis], watch, 'admin') // beside the desk: of its depth
  const byWatch = cast.remove(watch, [added, start], tablet)
  const removal = cast.remove(phone, [start], laptop) // does not know of the watch
  expect(active(added, byWatch, removal)).toBe(active(added, byWatch, removal))
  expect(evaluated(added, byWatch, removal).devices.find(({ id }) => id === tablet.id)?.active).toBe(false)
  expect(evaluated(added, byWatch, removal).devices.find(({ id }) => id === watch.id)?.active).toBe(true)
})

test('[G40] two who remove each other: the senior stays', () => {
  expect(active(cast.remove(phone, [start], tablet), cast.remove(tablet, [start], phone))).toBe('laptop desk phone')
  expect(active(cast.remove(laptop, [start], desk), cast.remove(desk, [start], laptop))).toBe('laptop phone tablet')
})

test('[G40] three in a circle: the most senior’s removal stands, its target’s is void, the third’s stands', () => {
  const down = [cast.remove(desk, [start], phone), cast.remove(phone, [start], tablet), cast.remove(tablet, [start], desk)]
  expect(active(...down)).toBe('laptop tablet')
  const up = [cast.remove(desk, [start], tablet), cast.remove(tablet, [start], phone), cast.remove(phone, [start], desk)]
  expect(active(...up)).toBe('laptop phone')
})

test('[G40] [G42] three who are all there is, in a circle: somebody who was an admin stays', () => {
  const add = cast.add(laptop, [genesis], desk, 'admin')
  const three = [genesis, add, cast.add(laptop, [add], phone, 'admin')]
  const [last] = three.slice(-1) as [SignedEntry]
  const circle = [cast.remove(laptop, [last], desk), cast.remove(desk, [last], phone), cast.remove(phone, [last], laptop)]
  const { devices } = evaluate(genesis.group, [...three, ...circle])
  expect(devices.filter(device => device.active).map(({ name, role }) => `${name} ${role}`)).toEqual(['phone admin'])
})

test('[G41] a removal by who was removed before does not count; a removed key stays dead whatever is said beside it', () => {
  const removal = cast.remove(laptop, [start], tablet)
  expect(evaluated(removal, cast.remove(tablet, [removal], laptop)).refused.size).toBe(1)
  const added = cast.add(laptop, [start], watch)
  const gone = cast.remove(laptop, [added], watch)
  const beside = cast.add(desk, [start], watch)
  const after = cast.add(laptop, [gone, beside], watch)
  expect(active(added, gone, beside, after)).toBe('laptop desk phone tablet')
})

test('[G42] two admins who leave at once: the one taken last stays', () => {
  const add = cast.add(laptop, [genesis], desk, 'admin')
  const both = [genesis, add, cast.remove(laptop, [add], laptop), cast.remove(desk, [add], desk)]
  const { devices } = evaluate(genesis.group, both)
  expect(devices.filter(device => device.active).map(({ name, role }) => `${name} ${role}`)).toEqual(['desk admin'])
})

test('[G44] who was removed by a removal that does not prevail goes on, and its words meanwhile count', () => {
  const byTablet = cast.remove(tablet, [start], phone)
  const added = cast.add(phone, [start], watch)
  expect(active(byTablet, added)).toBe('laptop desk tablet')
  const byLaptop = cast.remove(laptop, [start], tablet)
  expect(active(byTablet, added, byLaptop)).toBe('laptop desk phone watch')
  const later = cast.add(phone, [byTablet, added, byLaptop], cast.device('guest'))
  expect(active(byTablet, added, byLaptop, later)).toBe('laptop desk phone watch guest')
  expect(evaluated(byTablet, added, byLaptop).removals).toEqual([byLaptop.id])
})

test('[G17] a removal frees a place for the device that waits longest', () => {
  const entries: SignedEntry[] = []
  let last = start
  for (let i = 5; i <= 34; i++) {
    last = cast.add(laptop, [last], cast.device(`device ${i}`))
    entries.push(last)
  }
  const waiting = (more: readonly SignedEntry[]): readonly string[] =>
    evaluated(...entries, ...more).devices.flatMap(device => (device.active || device.removal !== undefined ? [] : [device.name]))
  expect(waiting([])).toEqual(['device 33', 'device 34'])
  expect(waiting([cast.remove(laptop, [last], desk)])).toEqual(['device 34'])
})

test('[G15] [G39] an admin’s removal stands although it was demoted meanwhile', () => {
  const demoted = cast.role(laptop, [start], desk, 'member')
  const removal = cast.remove(desk, [start], tablet)
  expect(active(demoted, removal)).toBe('laptop desk phone')
  expect(evaluated(demoted, cast.remove(desk, [demoted], tablet)).refused.size).toBe(1)
})

test('[G52] a removal hanging from what is understood ends the freeze of who is removed', () => {
  const future = cast.future(tablet, [start])
  expect(evaluated(future).needsUpdate).toBe(true)
  const removal = cast.remove(laptop, [start], tablet)
  expect(evaluated(future, removal)).toMatchObject({ needsUpdate: false, removals: [removal.id] })
})

test('[G54] a phrase outranks all; its removal voids what the removed wrote without knowing', () => {
  const named = cast.recovery(laptop, [start], paper)
  const byPaper = cast.remove(paper, [named], laptop)
  const byLaptop = cast.remove(laptop, [named], desk)
  const replaced = cast.recovery(laptop, [named], cast.device('other paper'))
  expect(active(named, byPaper, byLaptop, replaced)).toBe('desk phone tablet')
  expect(evaluated(named, byPaper, byLaptop, replaced).recovery?.id).toBe(paper.id)
})

test('[G54] a burned phrase does nothing after, and beside nothing but remove', () => {
  const named = cast.recovery(laptop, [start], paper)
  const next = cast.device('next paper')
  const burned = cast.recovery(paper, [named], next)
  const beside = cast.add(paper, [named], watch, 'admin')
  const after = cast.add(paper, [burned], cast.device('friend'), 'admin')
  expect(active(named, burned, beside, after)).toBe('laptop desk phone tablet')
  expect(evaluated(named, burned, beside).recovery?.id).toBe(next.id)
})

test('[G54] a removed device names no phrase, not even one it says to have named before: or no removal would be for good', () => {
  const removal = cast.remove(laptop, [start], tablet)
  const named = cast.recovery(tablet, [start], paper)
  const byPaper = cast.remove(paper, [named], laptop)
  const added = cast.add(paper, [named], watch, 'admin')
  expect(active(removal, named, byPaper, added)).toBe('laptop desk phone')
  expect(evaluated(removal, named, byPaper, added).recovery).toBeUndefined()
  // Who named it leaves by its own hand: the phrase stays.
  expect(active(named, byPaper, cast.remove(tablet, [start], tablet))).toBe('desk phone')
  // A junior's removal of the namer is no match for the phrase only where it knew of it.
  const knowing = cast.remove(phone, [named], tablet)
  expect(active(named, knowing, byPaper)).toBe('desk phone')
})

test('[G54] the first device, stolen, cannot undo a use of the phrase that it named, whatever it pretends not to know', () => {
  const named = cast.recovery(laptop, [start], paper)
  const added = cast.add(paper, [named], watch, 'admin')
  const byPaper = cast.remove(paper, [added], laptop)
  const stolen = [desk, phone, tablet, laptop].map(target => cast.remove(laptop, [start], target))
  expect(active(named, added, byPaper, ...stolen)).toBe('desk phone tablet watch')
  expect(evaluated(named, added, byPaper, ...stolen).recovery?.id).toBe(paper.id)
})

test('[G54] a phrase is as senior among phrases as who named it: naming one earlier than the person did helps no junior', () => {
  const known = cast.rename(desk, [start], desk, 'tower')
  const named = cast.recovery(laptop, [known], paper)
  const byPaper = cast.remove(paper, [named], tablet)
  const forged = cast.device('forged paper')
  const earlier = cast.recovery(tablet, [start], forged)
  const byForged = [laptop, desk].map(target => cast.remove(forged, [earlier], target))
  expect(active(known, named, byPaper, earlier, ...byForged)).toBe('laptop tower phone')
  // A phrase that took the place of another is as senior as that one.
  const next = cast.device('next paper')
  const replaced = cast.recovery(paper, [named], next)
  expect(active(known, named, replaced, cast.remove(next, [replaced], tablet), earlier, ...byForged)).toBe('laptop tower phone')
})

test('[G57] a mailbox whose admin key somebody holds who is no admin any more needs to be moved', () => {
  const mailbox = hexId<MailboxId>(new Uint8Array(16).fill(3))
  const wraps = [laptop, desk].map(({ id }) => ({ device: id, box: new Uint8Array(105) }))
  const said = { mailbox, relay: laptop.id, adminKey: laptop.signing.publicKey, wraps }
  const relay = cast.relay(laptop, [start], said)
  const needsMove = (...more: readonly SignedEntry[]): boolean | undefined => evaluated(relay, ...more).relays[0]?.needsMove
  expect(needsMove()).toBe(false)
  expect(needsMove(cast.remove(laptop, [relay], tablet))).toBe(false)
  expect(needsMove(cast.remove(laptop, [relay], desk))).toBe(true)
  expect(needsMove(cast.role(laptop, [relay], desk, 'member'))).toBe(true)
  const removal = cast.remove(laptop, [relay], desk)
  expect(needsMove(removal, cast.relay(laptop, [removal], { ...said, wraps: [], retired: true }))).toBe(false)
})
