import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { hexId, type EntryId, type MailboxId } from '../lib/ids.ts'
import { createGroupLogCast, type RelayInLog } from '../testing/group-log.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import type { SignedEntry } from './entry.ts'
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
