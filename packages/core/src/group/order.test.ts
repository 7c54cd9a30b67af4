import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { hexId, type EntryId, type MailboxId } from '../lib/ids.ts'
import { createGroupLogCast, type GroupLogCast, type RelayInLog } from '../testing/group-log.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import type { Role, SignedEntry } from './entry.ts'
import { createGroupGraph, evaluate, type GroupEvaluation } from './resolve.ts'

const cast = createGroupLogCast(30)
const { laptop, desk, phone, stranger, genesis } = cast
const mailboxOf = (n: number): MailboxId => hexId<MailboxId>(new Uint8Array(16).fill(n))
/** A word on mailbox `n`: the devices' own keys stand in for those of relays. */
const relayOf = (n: number, by: DeviceIdentity, more: Partial<RelayInLog> = {}): RelayInLog => ({
  mailbox: mailboxOf(n),
  relay: by.id,
  adminKey: by.signing.publicKey,
  ...more,
})

/** Six entries each, the genesis among them: every way in which the rules can meet. */
const STORIES: Readonly<Record<string, () => readonly SignedEntry[]>> = {
  'two admins rename one device at once'() {
    const added = cast.add(laptop, [genesis], desk, 'admin')
    const one = cast.rename(laptop, [added], desk, 'one')
    const two = cast.rename(desk, [added], desk, 'two')
    return [genesis, added, one, two, cast.rename(laptop, [one, two], laptop, 'after both'), cast.rename(desk, [two], desk, 'three')]
  },
  'an admin is demoted while it adds'() {
    const added = cast.add(laptop, [genesis], desk, 'admin')
    const demoted = cast.role(laptop, [added], desk, 'member')
    const concurrent = cast.add(desk, [added], phone)
    const late = cast.add(desk, [demoted], stranger)
    return [genesis, added, demoted, concurrent, late, cast.rename(phone, [concurrent, demoted], phone, 'pocket')]
  },
  'two admins demote each other and a third is added'() {
    const added = cast.add(laptop, [genesis], desk, 'admin')
    const deskDown = cast.role(laptop, [added], desk, 'member')
    const laptopDown = cast.role(desk, [added], laptop, 'member')
    return [
      genesis,
      added,
      deskDown,
      laptopDown,
      cast.add(laptop, [deskDown], phone, 'admin'),
      cast.add(laptop, [deskDown, laptopDown], stranger),
    ]
  },
  'one device is added twice, with two roles'() {
    const added = cast.add(laptop, [genesis], desk, 'admin')
    const once = cast.add(laptop, [added], phone, 'admin')
    const twice = cast.add(desk, [added], phone, 'member')
    return [genesis, added, once, twice, cast.add(phone, [once], stranger), cast.role(laptop, [once, twice], phone, 'member')]
  },
  'one mailbox is made twice, moved and retired'() {
    const added = cast.add(laptop, [genesis], desk, 'admin')
    const once = cast.relay(laptop, [added], relayOf(1, laptop, { addresses: ['/a'] }))
    const twice = cast.relay(desk, [added], relayOf(1, desk, { addresses: ['/b'] }))
    return [
      genesis,
      added,
      once,
      twice,
      cast.relay(laptop, [once], relayOf(1, laptop, { retired: true })),
      cast.relay(desk, [once, twice], relayOf(1, laptop, { addresses: ['/c'] })),
    ]
  },
  'something from the future, and a stranger before and after it'() {
    const future = cast.future(laptop, [genesis])
    const before = cast.rename(stranger, [genesis], stranger, 'before')
    const after = cast.rename(stranger, [future], stranger, 'after')
    return [genesis, future, before, after, cast.rename(laptop, [after], laptop, 'over'), cast.rename(laptop, [before], laptop, 'under')]
  },
}

test.each(Object.entries(STORIES))('[G18] one answer in all 720 orders: %s', (_, tell) => {
  const entries = tell()
  const expected = summaryOf(evaluate(genesis.group, entries))
  const answers = new Set(permutations(entries).map(order => summaryOf(evaluate(genesis.group, order))))
  expect(entries.length).toBe(6)
  expect([...answers]).toEqual([expected])
})

/** How to make one random entry, given those before it. `parents` picks, by bits, among the last eight. */
interface Step {
  readonly author: number
  readonly parents: number
  readonly what: 'add' | 'promote' | 'demote' | 'rename' | 'relay' | 'future'
  readonly target: number
}
const step: fc.Arbitrary<Step> = fc.record({
  author: fc.nat(4),
  parents: fc.integer({ min: 1, max: 255 }),
  what: fc.oneof(
    { weight: 3, arbitrary: fc.constant('add' as const) },
    { weight: 3, arbitrary: fc.constantFrom('promote' as const, 'demote' as const) },
    { weight: 3, arbitrary: fc.constant('rename' as const) },
    { weight: 4, arbitrary: fc.constant('relay' as const) },
    { weight: 1, arbitrary: fc.constant('future' as const) },
  ),
  target: fc.nat(4),
})

test('[G18] [I6] random logs of up to 20 entries: one answer in every order, with repeats, and the one that replaying gives', () => {
  const people = [laptop, laptop, desk, phone, stranger]
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 19 }), fc.array(fc.nat(), { minLength: 60, maxLength: 60 }), (steps, keys) => {
      const entries = write(cast, people, steps)
      const expected = summaryOf(evaluate(genesis.group, entries))
      expect(summaryOf(evaluate(genesis.group, shuffled([...entries, ...entries.slice(0, 5)], keys)))).toBe(expected)
      expect(summaryOf(evaluate(genesis.group, shuffled(entries, keys.slice(20))))).toBe(expected)
      expect(replay(entries)).toBe(expected)
    }),
    { numRuns: 250 },
  )
})

test('[G34] a member that fills the log with its own words pushes out nobody else, in all 5,040 orders', () => {
  const deskAdded = cast.add(laptop, [genesis], desk)
  const phoneAdded = cast.add(laptop, [deskAdded], phone)
  const strangerAdded = cast.add(laptop, [phoneAdded], stranger)
  const flood = [0, 1, 2].map(i => cast.rename(desk, [deskAdded], desk, `name ${i}`))
  const phoneNamed = cast.rename(phone, [phoneAdded], phone, 'pocket')
  const [firstOfFlood] = flood.map(({ id }) => id).sort() as [EntryId]
  const expected = [genesis.id, deskAdded.id, phoneAdded.id, strangerAdded.id, phoneNamed.id, firstOfFlood].sort()
  for (const order of permutations([deskAdded, phoneAdded, strangerAdded, phoneNamed, ...flood])) {
    expect(keptOf([genesis, ...order], 6)).toEqual(expected)
  }
})

test('[G34] of entries that cannot be undone by another’s, however many: the same ones stay in every order', () => {
  fc.assert(
    fc.property(
      fc.array(word, { maxLength: 14 }),
      fc.integer({ min: 3, max: 12 }),
      fc.array(fc.nat(), { minLength: 40 }),
      (words, room, keys) => {
        const entries = speak(words)
        const expected = keptOf(entries, room)
        expect(keptOf(shuffled([...entries, ...entries.slice(0, 4)], keys), room)).toEqual(expected)
        expect(keptOf(shuffled(entries, keys.slice(20)), room)).toEqual(expected)
      },
    ),
    { numRuns: 250 },
  )
})

function keptOf(entries: readonly SignedEntry[], maxEntries: number): readonly EntryId[] {
  const graph = createGroupGraph(genesis.group, { maxEntries })
  for (const entry of entries) graph.add(entry)
  return graph
    .ordered()
    .map(({ id }) => id)
    .sort()
}

/** Somebody says something. Decisions hang from the decisions before them, names from those and from what the same device said. */
interface Word {
  readonly by: 0 | 1 | 2
  readonly below: number
  readonly isDecision: boolean
}
const word: fc.Arbitrary<Word> = fc.record({ by: fc.constantFrom(0, 1, 2), below: fc.nat(7), isDecision: fc.boolean() })

function speak(words: readonly Word[]): readonly SignedEntry[] {
  const deskAdded = cast.add(laptop, [genesis], desk, 'admin')
  const decisions = [genesis, deskAdded, cast.add(laptop, [deskAdded], phone)]
  const said: readonly SignedEntry[][] = [[], [], []]
  for (const [i, { by, below, isDecision }] of words.entries()) {
    const author = [laptop, desk, phone][by] as DeviceIdentity
    const last = decisions[Math.max(2, decisions.length - 1 - below)] as SignedEntry
    if (isDecision && by !== 2) decisions.push(cast.role(author, [last], phone, 'member'))
    else {
      const own = said[by] as SignedEntry[]
      const before = own[own.length - 1 - below]
      own.push(cast.rename(author, before === undefined ? [last] : [before], author, `name ${i}`))
    }
  }
  return [...new Map([...decisions, ...said.flat()].map(entry => [entry.id, entry])).values()]
}

function write(from: GroupLogCast, people: readonly DeviceIdentity[], steps: readonly Step[]): readonly SignedEntry[] {
  const written = new Map([[genesis.id, genesis]]) // the same words on the same parents are the same entry
  for (const { author, parents, what, target } of steps) {
    const recent = [...written.values()].slice(-8)
    const chosen = recent.filter((_, i) => ((parents >> i) & 1) === 1)
    const below = chosen.length === 0 ? recent.slice(-1) : chosen
    const by = people[author] as DeviceIdentity
    const of = people[target] as DeviceIdentity
    const make: Readonly<Record<Step['what'], () => SignedEntry>> = {
      add: () => from.add(by, below, of, target % 2 === 0 ? 'admin' : 'member'),
      promote: () => from.role(by, below, of, 'admin'),
      demote: () => from.role(by, below, of, 'member'),
      rename: () => from.rename(by, below, of, `name ${written.size}`),
      relay: () => from.relay(by, below, relayOf(target % 2, author % 2 === 0 ? laptop : desk, relayWords(written.size))),
      future: () => from.future(by, below, { kind: `kind${written.size}` }),
    }
    const entry = make[what]()
    written.set(entry.id, entry)
  }
  return [...written.values()]
}

function relayWords(n: number): Partial<RelayInLog> {
  return { addresses: [`/at/${n}`], retired: n % 2 === 0 }
}

interface Mailbox {
  made: string
  address: string
  retired: boolean
}

interface Told {
  role: Role
  name: string
  addedBy: string
}

/** The rules once more, by brute force, from entries with causes before effects: each entry is judged by replaying its whole past in the order. No joins, no memory. */
function replay(entries: readonly SignedEntry[]): string {
  const all = new Map(entries.map(entry => [entry.id, entry]))
  const kept = new Set<EntryId>()
  const counting = new Set<EntryId>()
  const depths = new Map<EntryId, number>()
  const pasts = new Map<EntryId, ReadonlySet<EntryId>>()
  for (const { id, parents } of entries) {
    depths.set(id, Math.max(-1, ...parents.map(parent => depths.get(parent) as number)) + 1)
    pasts.set(id, new Set(parents.flatMap(parent => [parent, ...(pasts.get(parent) as ReadonlySet<EntryId>)])))
  }
  const inOrder = [...entries].sort((a, b) => (depths.get(a.id) as number) - (depths.get(b.id) as number) || (a.id < b.id ? -1 : 1))
  const tellRelays = (among: ReadonlySet<EntryId>): Map<string, Mailbox> => {
    const relays = new Map<string, Mailbox>()
    for (const { id, content } of inOrder) {
      if (content.kind !== 'relay' || !among.has(id) || !counting.has(id)) continue
      const known = relays.get(content.mailbox)
      const retired = known?.retired === true || content.retired
      relays.set(content.mailbox, { made: known?.made ?? content.relay, address: content.addresses.join(), retired })
    }
    return relays
  }
  const tell = (among: ReadonlySet<EntryId>): Map<string, Told> => {
    const devices = new Map<string, Told>()
    for (const { id, author, content } of inOrder) {
      if (!among.has(id) || !counting.has(id)) continue
      if (content.kind === 'genesis') devices.set(author, { role: 'admin', name: content.name, addedBy: author })
      if (content.kind === 'add') {
        const addedBy = devices.get(content.device)?.addedBy ?? author
        devices.set(content.device, { role: content.role, name: content.name, addedBy })
      }
      const target = 'target' in content ? devices.get(content.target) : undefined
      if (target !== undefined && content.kind === 'role') target.role = content.role
      if (target !== undefined && content.kind === 'rename') target.name = content.name
    }
    return devices
  }
  for (const entry of inOrder) {
    const { author, content } = entry
    const past = pasts.get(entry.id) as ReadonlySet<EntryId>
    if ([...past].some(id => !kept.has(id))) continue
    const told = tell(past)
    const isAdmin = told.get(author)?.role === 'admin'
    const future = [...past].some(id => counting.has(id) && all.get(id)?.content.kind === 'unknown')
    if (content.kind !== 'genesis' && !told.has(author) && !future) continue
    kept.add(entry.id)
    if (content.kind === 'genesis') counting.add(entry.id)
    if (!told.has(author)) continue
    if (content.kind === 'unknown') counting.add(entry.id)
    if (content.kind === 'add' && isAdmin && !told.has(content.device)) counting.add(entry.id)
    if (content.kind === 'relay' && isAdmin && (tellRelays(past).get(content.mailbox)?.made ?? content.relay) === content.relay) {
      counting.add(entry.id)
    }
    if (content.kind === 'rename' && told.has(content.target) && (isAdmin || content.target === author)) counting.add(entry.id)
    if (content.kind !== 'role' || !isAdmin || !told.has(content.target)) continue
    const othersLead = [...told].some(([id, device]) => id !== content.target && device.role === 'admin')
    if (content.role === 'admin' || othersLead) counting.add(entry.id)
  }
  const told = tell(kept)
  return JSON.stringify({
    devices: [...told].map(([id, { role, name, addedBy }]) => [id, role, name, addedBy].join()).sort(),
    relays: [...tellRelays(kept)].map(([id, { made, address, retired }]) => [id, made, address, retired].join()).sort(),
    counting: inOrder.filter(({ id }) => counting.has(id)).map(({ id }) => id),
    needsUpdate: inOrder.some(({ id, content }) => counting.has(id) && content.kind === 'unknown'),
  })
}

function summaryOf({ devices, relays, counting, needsUpdate }: GroupEvaluation): string {
  return JSON.stringify({
    devices: devices.map(({ id, role, name, addedBy }) => [id, role, name, addedBy].join()).sort(),
    relays: relays.map(({ mailbox, id, addresses, retired }) => [mailbox, id, addresses.join(), retired].join()).sort(),
    counting: counting.map(({ id }) => id),
    needsUpdate,
  })
}

function shuffled<T>(items: readonly T[], keys: readonly number[]): readonly T[] {
  return items
    .map((item, i) => [keys[i] ?? 0, item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)
}

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length <= 1) return [items]
  return items.flatMap((item, i) => permutations([...items.slice(0, i), ...items.slice(i + 1)]).map(rest => [item, ...rest]))
}
