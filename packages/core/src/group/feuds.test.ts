/** Admins who remove and demote each other while apart, and then meet as devices do, pair by pair: who stays is one answer. */
import { expect, test } from 'vitest'
import { createIdentity, type DeviceIdentity } from '../identity/index.ts'
import type { DeviceId } from '../lib/ids.ts'
import { createPairingLinks } from '../testing/pairing-links.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import type { SignedEntry } from './entry.ts'
import { signErasure } from './erasure.ts'
import { foundGroup, openGroup } from './group.ts'
import type { Group } from './group-interface.ts'
import { callOnRemoved, proveMembership, receiveProof, type Proving } from './proof.ts'

/** What one does while apart: whom it removes, whom it makes a member. By name. */
type Deed = readonly ['remove' | 'demote', Name]
type Name = (typeof NAMES)[number]
type Feud = Readonly<Partial<Record<Name, readonly Deed[]>>>

/** In order of seniority; all are admins, and nobody else is there. */
const NAMES = ['laptop', 'desk', 'phone'] as const
const random = createSeededRandom(65)
const identities = new Map(NAMES.map(name => [name, createIdentity({ name, random })]))
const identityOf = (name: Name): DeviceIdentity => identities.get(name) as DeviceIdentity
const founded = foundGroup({ identity: identityOf('laptop'), random, time: 0 })
for (const name of ['desk', 'phone'] as const) {
  const { signing, sealing } = identityOf(name)
  founded.add({ keys: { signing: signing.publicKey, sealing: sealing.publicKey }, role: 'admin', name, time: 1 })
}

test.each<readonly [string, Feud, string]>([
  [
    'three in a circle, the senior demotes whom it does not remove',
    {
      laptop: [
        ['demote', 'phone'],
        ['remove', 'desk'],
      ],
      desk: [['remove', 'phone']],
      phone: [['remove', 'laptop']],
    },
    'phone',
  ],
  [
    'three in a circle, the third demotes the senior before it removes it',
    {
      laptop: [['remove', 'desk']],
      desk: [['remove', 'phone']],
      phone: [
        ['demote', 'laptop'],
        ['remove', 'laptop'],
      ],
    },
    'phone',
  ],
  [
    'the senior is removed, and alone knows whom it removed at once',
    {
      laptop: [
        ['demote', 'phone'],
        ['remove', 'phone'],
      ],
      desk: [['remove', 'laptop']],
      phone: [
        ['demote', 'laptop'],
        ['remove', 'desk'],
      ],
    },
    'desk',
  ],
  [
    'two remove each other, each after a word that the other has not heard',
    {
      laptop: [
        ['demote', 'desk'],
        ['remove', 'desk'],
      ],
      desk: [
        ['demote', 'laptop'],
        ['remove', 'laptop'],
      ],
      phone: [['remove', 'phone']],
    },
    'laptop',
  ],
])('[G65] [I6] %s: whoever stays knows it, and with whom', async (_, feud, staying) => {
  for (const order of [1, 2]) {
    const { truth, views } = await playOut(feud, order)
    expect(truth).toBe(staying)
    for (const name of NAMES) if (truth.includes(name)) expect([name, views.get(name)]).toEqual([name, truth])
  }
})

test('[G60] [G62] [G63] [G65] [I6] a dozen random feuds of three: whoever stays by all that was said has that answer', async () => {
  const dice = createSeededRandom(66)
  for (let seed = 0; seed < 12; seed++) {
    const feud = Object.fromEntries(
      NAMES.map(name => {
        const deeds: Deed[] = []
        for (let left = dice.below(3); left > 0; left--) deeds.push([dice.pick(['remove', 'demote'] as const), dice.pick(NAMES)])
        return [name, deeds]
      }),
    )
    const { truth, views } = await playOut(feud, seed)
    const told = JSON.stringify({ feud, seed })
    for (const name of NAMES) if (truth.includes(name)) expect([told, name, views.get(name)]).toEqual([told, name, truth])
  }
})

test('[G65] [G59] of what a removed device brings only removals that prevail are taken, with what they hang from', async () => {
  const groups = apart()
  const [onLaptop, onDesk] = NAMES.map(name => groups.get(name) as Group) as [Group, Group]
  const removed = onLaptop.remove(identityOf('phone').id, { time: 2 })
  const guest = createIdentity({ name: 'guest', random })
  const keys = { signing: guest.signing.publicKey, sealing: guest.sealing.publicKey }
  const added = onLaptop.add({ keys, role: 'member', name: 'guest', time: 3 })
  onDesk.remove(identityOf('laptop').id, { time: 2 })
  const told: boolean[] = []
  const { id } = identityOf('laptop')
  const links = createPairingLinks({ a: id, b: identityOf('desk').id })
  await talk(
    links,
    proveMembership,
    onLaptop,
    onDesk,
    {
      onRemoved: entry =>
        Promise.resolve(signErasure({ group: entry.group, removal: entry.id, erased: false, time: 4 }, identityOf('laptop'))),
    },
    () => told.push(true),
  )
  expect(told).toEqual([true])
  expect(onDesk.entry(removed.id)).toBeDefined()
  expect(onDesk.entry(added.id)).toBeUndefined()
  expect(onDesk.state.peek().devices.flatMap(device => (device.active ? [device.name] : []))).toEqual(['desk'])
})

async function playOut(feud: Feud, order: number): Promise<{ readonly truth: string; readonly views: ReadonlyMap<Name, string> }> {
  const groups = apart()
  for (const [name, group] of groups) for (const [what, whom] of feud[name] ?? []) act(group, what, identityOf(whom).id)
  const dice = createSeededRandom(order)
  const said = (): string => [...groups.values()].map(group => group.entries().length).join()
  for (let before = ''; before !== said();) {
    before = said()
    const pairs = NAMES.flatMap(one => NAMES.flatMap(other => (one === other ? [] : [[one, other] as const])))
    for (const [one, other] of dice.shuffle(pairs)) await meet(one, groups.get(one) as Group, other, groups.get(other) as Group)
  }
  const all = openFor(
    'laptop',
    [...groups.values()].flatMap(group => group.entries()),
  )
  return { truth: whoIsIn(all), views: new Map([...groups].map(([name, group]) => [name, whoIsIn(group)])) }
}

/** Not everything may be done by then: it was demoted by its own word, or nobody would be left. */
function act(group: Group, what: Deed[0], whom: DeviceId): void {
  try {
    if (what === 'remove') group.remove(whom, { time: 2 })
    else group.setRole(whom, 'member', 2)
  } catch {
    return
  }
}

/** As the engine does it: `one` dials, and whoever knows to be out dials nobody but to say that it heard. */
async function meet(one: Name, onOne: Group, other: Name, onOther: Group): Promise<void> {
  const [self, peer] = [identityOf(one).id, identityOf(other).id]
  const [knows, isKnown] = [onOne.isActive(peer), onOther.isActive(self)]
  const links = createPairingLinks({ a: self, b: peer })
  if (onOne.removalOf(self) !== undefined) return knows ? talk(links, proveMembership, onOne, onOther) : undefined
  if (knows && isKnown) {
    const [ones, others] = [onOne, onOther].map(group => group.entries().map(({ bytes }) => bytes))
    onOne.receive(others ?? [])
    onOther.receive(ones ?? [])
  } else if (knows) await talk(links, proveMembership, onOne, onOther)
  else if (!isKnown) await talk(links, callOnRemoved, onOne, onOther)
}

async function talk(
  { a, b }: ReturnType<typeof createPairingLinks>,
  show: typeof proveMembership,
  from: Group,
  to: Group,
  proving: Proving = {},
  onErasure: () => void = () => undefined,
): Promise<void> {
  const asked = show(a, from, proving).finally(() => void a.close())
  const answered = receiveProof(b, to, { onErasure }).finally(() => void b.close())
  await Promise.allSettled([asked, answered])
}

function apart(): ReadonlyMap<Name, Group> {
  return new Map(NAMES.map(name => [name, openFor(name, founded.entries())]))
}

function openFor(name: Name, entries: readonly SignedEntry[]): Group {
  return openGroup({ identity: identityOf(name), random, secret: founded.secret, entries: entries.map(({ bytes }) => bytes) })
}

function whoIsIn(group: Group): string {
  return group.state
    .peek()
    .devices.flatMap(({ name, active }) => (active ? [name] : []))
    .join(' ')
}
