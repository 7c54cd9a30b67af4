import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { hexId, type EntryId, type MailboxId } from '../lib/ids.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { createGroupLogCast } from '../testing/group-log.ts'
import { replayLog, type Told } from '../testing/group-replay.ts'
import type { SignedEntry } from './entry.ts'
import { createGroupGraph, evaluate, type GroupEvaluation } from './resolve.ts'

const cast = createGroupLogCast(93)
const { laptop, desk, phone, genesis } = cast
const [tablet, watch] = [cast.device('tablet'), cast.device('watch')]
const PEOPLE = [laptop, desk, phone, tablet, watch]
const PAPERS = [cast.device('paper'), cast.device('other paper')]
/** Three admins and a member, in order of seniority: random logs begin where there is something to fight for. */
const deskAdded = cast.add(laptop, [genesis], desk, 'admin')
const phoneAdded = cast.add(laptop, [deskAdded], phone, 'admin')
const START = [genesis, deskAdded, phoneAdded, cast.add(desk, [phoneAdded], tablet)]

/** How to make one random entry, given those before it. `parents` picks, by bits, among the last eight. */
interface Step {
  readonly author: number
  readonly parents: number
  readonly what: 'add' | 'promote' | 'demote' | 'rename' | 'relay' | 'remove' | 'rotate' | 'wrap' | 'recovery' | 'future'
  readonly target: number
}
const step: fc.Arbitrary<Step> = fc.record({
  author: fc.nat(6),
  parents: fc.integer({ min: 1, max: 255 }),
  what: fc.oneof(
    { weight: 4, arbitrary: fc.constant('add' as const) },
    { weight: 3, arbitrary: fc.constantFrom('promote' as const, 'demote' as const) },
    { weight: 9, arbitrary: fc.constant('remove' as const) },
    { weight: 2, arbitrary: fc.constantFrom('rotate' as const, 'wrap' as const, 'rename' as const, 'relay' as const) },
    { weight: 2, arbitrary: fc.constant('recovery' as const) },
    { weight: 1, arbitrary: fc.constant('future' as const) },
  ),
  target: fc.nat(4),
})
const keys = fc.array(fc.nat(), { minLength: 120, maxLength: 120 })

test('[G18] [I6] random logs of up to 40 entries of every kind: one answer in every order, with repeats, and the one that replaying gives', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 36 }), keys, (steps, by) => {
      const entries = write(steps)
      const expected = replayLog(entries)
      expect(toldBy(evaluate(genesis.group, entries))).toEqual(expected)
      expect(toldBy(evaluate(genesis.group, shuffled([...entries, ...entries.slice(0, 5)], by)))).toEqual(expected)
      expect(toldBy(evaluate(genesis.group, shuffled(entries, by.slice(60))))).toEqual(expected)
      expect(toldBy(oneByOne(shuffled(entries, by.slice(30))))).toEqual(expected)
    }),
    { numRuns: 150 },
  )
})

test('[G37] [G42] [G13] whatever happens: nobody removed is active, somebody stays who leads, and nobody is in but by an add that counts', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 36 }), steps => {
      const entries = write(steps)
      const { devices, counting, voided, refused } = evaluate(genesis.group, entries)
      const active = devices.filter(device => device.active)
      const removed = new Set(counting.flatMap(({ content }) => (content.kind === 'remove' ? [content.target] : [])))
      expect(active.filter(({ id }) => removed.has(id))).toEqual([])
      const byPaper = counting.some(({ author }) => PAPERS.some(({ id }) => id === author))
      expect(byPaper || active.some(({ role }) => role === 'admin')).toBe(true)
      const added = new Set(counting.flatMap(({ content }) => (content.kind === 'add' ? [content.device] : [])))
      for (const { id } of active) expect(id === laptop.id || added.has(id)).toBe(true)
      expect(counting.filter(({ id }) => voided.has(id) || refused.has(id))).toEqual([])
    }),
    { numRuns: 150 },
  )
})

test('[G39] [G40] what the most senior admin removes is out, whatever all others write without knowing', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 3 }), (steps, target) => {
      const entries = write(steps.filter(({ author, what }) => author !== 0 && author < 5 && what !== 'recovery'))
      const removal = cast.remove(laptop, START.slice(-1), PEOPLE[target] as DeviceIdentity)
      const { devices, removals } = evaluate(genesis.group, [...entries, removal])
      expect(removals).toContain(removal.id)
      expect(devices.filter(({ id, active }) => active && id === PEOPLE[target]?.id)).toEqual([])
    }),
    { numRuns: 100 },
  )
})

test('[G37] [G38] a removed device gets nobody in, and nobody out, by what the removal does not know of', () => {
  const friends = [cast.device('friend'), cast.device('friend of friend')]
  const evil = fc.record({ author: fc.nat(4), parents: fc.integer({ min: 1, max: 255 }), what: fc.nat(3), target: fc.nat(6) })
  fc.assert(
    fc.property(fc.array(evil, { minLength: 1, maxLength: 20 }), steps => {
      const written: SignedEntry[] = []
      for (const { author, parents, what, target } of steps) {
        const recent = [...new Map([...START, ...written].map(entry => [entry.id, entry])).values()].slice(-8)
        const below = recent.filter((_, i) => ((parents >> i) & 1) === 1)
        const on = below.length === 0 ? recent.slice(-1) : below
        const by = [phone, ...friends, ...PAPERS][author] as DeviceIdentity
        const of = [...PEOPLE, ...friends][target] as DeviceIdentity
        if (what === 0) written.push(cast.add(by, on, of, 'admin'))
        if (what === 1) written.push(cast.remove(by, on, of))
        if (what === 2) written.push(cast.role(by, on, of, target % 2 === 0 ? 'admin' : 'member'))
        if (what === 3) written.push(cast.recovery(by, on, PAPERS[target % 2] as DeviceIdentity))
      }
      const removal = cast.remove(laptop, START.slice(-1), phone)
      const alone = evaluate(genesis.group, [...START, removal])
      const both = evaluate(genesis.group, [...START, ...written, removal])
      const belongs = ({ devices }: GroupEvaluation): readonly string[] =>
        devices.filter(({ active }) => active).map(({ name, role }) => `${name} ${role}`)
      expect(belongs(both)).toEqual(belongs(alone))
      expect(both.recovery).toBeUndefined()
    }),
    { numRuns: 150 },
  )
})

/** Six entries each, the genesis among them: every way in which removals can meet. */
const STORIES: Readonly<Record<string, () => readonly SignedEntry[]>> = {
  'two remove each other, and one adds'() {
    const pair = [genesis, deskAdded]
    const [a, b] = [cast.remove(laptop, pair.slice(-1), desk), cast.remove(desk, pair.slice(-1), laptop)]
    return [...pair, a, b, cast.add(desk, [b], tablet), cast.add(desk, pair.slice(-1), watch)]
  },
  'three in a circle'() {
    const three = [genesis, deskAdded, phoneAdded]
    const on = three.slice(-1)
    return [...three, cast.remove(laptop, on, desk), cast.remove(desk, on, phone), cast.remove(phone, on, laptop)]
  },
  'three in the other circle'() {
    const three = [genesis, deskAdded, phoneAdded]
    const on = three.slice(-1)
    return [...three, cast.remove(laptop, on, phone), cast.remove(phone, on, desk), cast.remove(desk, on, laptop)]
  },
  'a removal of the remover, by one it removed'() {
    const three = [genesis, deskAdded, phoneAdded]
    const on = three.slice(-1)
    const first = cast.remove(phone, on, desk)
    return [...three, first, cast.remove(laptop, on, phone), cast.add(desk, [first], watch)]
  },
  'what a voided one added removes an admin'() {
    const removal = cast.remove(laptop, [deskAdded], desk)
    const added = cast.add(desk, [deskAdded], watch, 'admin')
    return [genesis, deskAdded, removal, added, cast.remove(watch, [added], laptop), cast.add(watch, [added, removal], tablet)]
  },
  'a phrase, its use, and a rival'() {
    const named = cast.recovery(laptop, [genesis], PAPERS[0] as DeviceIdentity)
    const paper = PAPERS[0] as DeviceIdentity
    const added = cast.add(paper, [named], desk, 'admin')
    const rival = cast.recovery(laptop, [named], watch)
    return [genesis, named, added, cast.remove(paper, [added], laptop), rival, cast.recovery(paper, [added], PAPERS[1] as DeviceIdentity)]
  },
  'a freeze, and the removal of who froze'() {
    const future = cast.future(desk, [deskAdded])
    const above = cast.add(laptop, [future], phone)
    return [genesis, deskAdded, future, above, cast.remove(laptop, [deskAdded], desk), cast.rotate(laptop, [deskAdded])]
  },
  'an add beside a rotation, a wrap, and a removal of the newcomer'() {
    const added = cast.add(laptop, [deskAdded], phone)
    const rotated = cast.rotate(desk, [deskAdded])
    const wrapped = cast.wrap(desk, [added, rotated], phone)
    return [genesis, deskAdded, added, rotated, wrapped, cast.remove(laptop, [added], phone)]
  },
}

test.each(Object.entries(STORIES))('[G18] [I6] one answer in all 720 orders: %s', (_, tell) => {
  const entries = tell()
  expect(entries.length).toBe(6)
  const expected = JSON.stringify(replayLog(entries))
  expect(new Set(permutations(entries).map(order => JSON.stringify(toldBy(evaluate(genesis.group, order)))))).toEqual(new Set([expected]))
})

function write(steps: readonly Step[]): readonly SignedEntry[] {
  const written = new Map(START.map(entry => [entry.id, entry])) // the same words on the same parents are the same entry
  for (const { author, parents, what, target } of steps) {
    const recent = [...written.values()].slice(-8)
    const chosen = recent.filter((_, i) => ((parents >> i) & 1) === 1)
    const below = chosen.length === 0 ? recent.slice(-1) : chosen
    const by = [...PEOPLE, ...PAPERS][author] as DeviceIdentity
    const of = PEOPLE[target] as DeviceIdentity
    const make: Readonly<Record<Step['what'], () => SignedEntry>> = {
      add: () => cast.add(by, below, of, target % 2 === 0 ? 'admin' : 'member'),
      promote: () => cast.role(by, below, of, 'admin'),
      demote: () => cast.role(by, below, of, 'member'),
      rename: () => cast.rename(by, below, of, `name ${written.size}`),
      relay: () =>
        cast.relay(by, below, {
          mailbox: hexId<MailboxId>(new Uint8Array(16).fill(target % 2)),
          relay: author % 2 === 0 ? laptop.id : desk.id,
          adminKey: author % 2 === 0 ? laptop.signing.publicKey : desk.signing.publicKey,
          addresses: [`/at/${written.size}`],
          retired: written.size % 2 === 0,
        }),
      remove: () => cast.remove(by, below, of),
      rotate: () => cast.rotate(by, below),
      wrap: () => cast.wrap(by, below, of),
      recovery: () => cast.recovery(by, below, PAPERS[target % 2] as DeviceIdentity),
      future: () => cast.future(by, below, { kind: `kind${written.size}` }),
    }
    const entry = make[what]()
    written.set(entry.id, entry)
  }
  return [...written.values()]
}

function oneByOne(entries: readonly SignedEntry[]): GroupEvaluation {
  const graph = createGroupGraph(genesis.group)
  let evaluation: GroupEvaluation | undefined
  for (const entry of entries) {
    graph.add(entry)
    evaluation = graph.evaluation()
  }
  return evaluation ?? graph.evaluation()
}

function toldBy({ devices, relays, recovery, counting, removals, needsUpdate }: GroupEvaluation): Told {
  return {
    devices: devices.map(({ id, role, name, addedBy, removal }) => [id, role, name, addedBy, removal?.entry ?? 'in'].join()),
    relays: relays.map(({ mailbox, id, addresses, retired }) => [mailbox, id, addresses.join(), retired].join()).sort(),
    recovery: recovery?.id,
    counting: counting.map(({ id }): EntryId => id),
    removals,
    needsUpdate,
  }
}

function shuffled<T>(items: readonly T[], by: readonly number[]): readonly T[] {
  return items
    .map((item, i) => [by[i] ?? 0, item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)
}

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length <= 1) return [items]
  return items.flatMap((item, i) => permutations([...items.slice(0, i), ...items.slice(i + 1)]).map(rest => [item, ...rest]))
}
