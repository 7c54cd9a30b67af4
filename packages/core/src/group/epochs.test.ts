import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { hkdf, openChunk, openRecord, sealChunk, unwrap } from '../crypto/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { toHex, utf8 } from '../lib/bytes.ts'
import { isSegueError } from '../lib/errors.ts'
import type { DeviceId } from '../lib/ids.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { createGroupCast } from '../testing/group-cast.ts'
import { openGroup } from './group.ts'
import type { Group } from './group-interface.ts'

const cast = createGroupCast(94)
const PEOPLE = ['laptop', 'desk', 'phone', 'tablet', 'watch', 'book'].map(cast.device)
const [laptop, desk, phone] = PEOPLE as [DeviceIdentity, DeviceIdentity, DeviceIdentity]
type Step = readonly [what: 'tell' | 'remove' | 'rotate' | 'add' | 'seal' | 'fulfil', who: number, whom: number]

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom(
    'tell' as const,
    'tell' as const,
    'remove' as const,
    'rotate' as const,
    'add' as const,
    'seal' as const,
    'seal' as const,
    'fulfil' as const,
  ),
  fc.nat(5),
  fc.nat(5),
)

interface Sealed {
  readonly chunk: SealedChunk
  /** Whom the sealer knew to be removed. */
  readonly without: ReadonlySet<DeviceId>
}

test('[I5] [G45] [G47] with its own key and the whole log a removed device opens nothing that was sealed by who knew; those who stay open everything', () => {
  let checked = 0
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 45 }), steps => {
      const { groups, sealed } = live(steps)
      const all = [...groups.values()]
      settle(all)
      const [first] = all as [Group]
      const out = new Set(PEOPLE.flatMap(({ id }) => (first.removalOf(id) === undefined ? [] : [id])))
      for (const [id, group] of groups) if (group.isActive(id)) sealed.push({ chunk: seal(group), without: out })
      settle(all)
      for (const gone of PEOPLE.filter(({ id }) => first.removalOf(id) !== undefined)) {
        const keys = derivableBy(gone, first)
        for (const { chunk } of sealed.filter(({ without }) => without.has(gone.id))) {
          checked++
          expect(keys.some(key => openChunk(chunk, key).ok)).toBe(false)
        }
      }
      const staying = PEOPLE.flatMap(({ id }) => (first.isActive(id) ? [groups.get(id)] : [])).filter(group => group !== undefined)
      for (const { chunk } of sealed) {
        const opening = staying.map(group => openChunk(chunk, group.keyring.secretOf(chunk.epoch) ?? new Uint8Array(32)).ok)
        // An epoch that only devices held that are out by now is gone with them.
        expect(new Set(opening).size).toBe(1)
      }
    }),
    { numRuns: 25 },
  )
  expect(checked).toBeGreaterThan(20)
})

test('[I5] what the model can derive is what a device can open: the same keys, before it was removed', () => {
  const onLaptop = cast.found(laptop)
  cast.add(onLaptop, phone)
  onLaptop.rotate({ time: 1 })
  const chunk = seal(onLaptop)
  expect(derivableBy(phone, onLaptop).some(key => openChunk(chunk, key).ok)).toBe(true)
  expect(derivableBy(desk, onLaptop)).toEqual([])
  onLaptop.remove(phone.id, { time: 2 })
  expect(derivableBy(phone, onLaptop).some(key => openChunk(seal(onLaptop), key).ok)).toBe(false)
})

test('[G47] every member rotating at once settles on one epoch', () => {
  const onLaptop = cast.found(laptop)
  for (const device of [desk, phone]) cast.add(onLaptop, device)
  const groups = [onLaptop, cast.open(desk, onLaptop), cast.open(phone, onLaptop)]
  for (const group of groups) group.rotate({ time: 1 })
  settle(groups)
  const epochs = groups.map(group => group.keyring.current().epoch)
  expect(new Set(epochs).size).toBe(1)
  cast.add(onLaptop, PEOPLE[3] as DeviceIdentity)
  const added = onLaptop.entryThatAdded(PEOPLE[3]?.id as DeviceId)?.content
  expect(added?.kind === 'add' && added.wraps.length).toBe(3)
})

test('[G46] a flood of epochs without a successor stops neither an add nor a removal', () => {
  const onLaptop = cast.found(laptop)
  for (const device of [desk, phone]) cast.add(onLaptop, device)
  const asIs = onLaptop.entries().map(entry => entry.bytes)
  for (let i = 0; i < 70; i++) {
    const alone = openGroup({ identity: desk, random: cast.random, verifier: cast.verifier, secret: onLaptop.secret, entries: asIs })
    alone.rotate({ time: i })
    onLaptop.receive(alone.entries().map(entry => entry.bytes))
  }
  const tablet = PEOPLE[3] as DeviceIdentity
  cast.add(onLaptop, tablet)
  const onTablet = cast.open(tablet, onLaptop)
  for (const { id, content } of onLaptop.entries()) {
    if (content.kind === 'rotate') expect(onTablet.keyring.secretOf(id.slice(0, 32) as never)).toBeDefined()
  }
  onLaptop.remove(desk.id, { time: 99 })
  expect(onLaptop.duties()).toEqual([])
})

/** Lets five devices add, remove, rotate and seal, telling each other now and then. */
function live(steps: readonly Step[]): { groups: ReadonlyMap<DeviceId, Group>; sealed: Sealed[] } {
  const onLaptop = cast.found(laptop)
  cast.add(onLaptop, desk, 'admin')
  cast.add(onLaptop, phone, 'admin')
  const groups = new Map([[laptop.id, onLaptop]])
  for (const device of [desk, phone]) groups.set(device.id, cast.open(device, onLaptop))
  const sealed: Sealed[] = []
  for (const [what, who, whom] of steps) {
    const [one, other] = [PEOPLE[who], PEOPLE[whom]] as [DeviceIdentity, DeviceIdentity]
    const group = groups.get(one.id)
    const peer = groups.get(other.id)
    if (group === undefined) continue
    try {
      if (what === 'tell' && peer !== undefined) cast.tell(group, peer)
      if (what === 'remove') group.remove(other.id, { time: 1 })
      if (what === 'rotate') group.rotate({ time: 1 })
      if (what === 'fulfil') group.fulfil({ time: 1 }, { all: whom % 2 === 0 })
      if (what === 'add') {
        cast.add(group, other, whom % 2 === 0 ? 'admin' : 'member')
        if (peer === undefined) groups.set(other.id, cast.open(other, group))
      }
    } catch (error) {
      if (!isSegueError(error)) throw error // refused: not an admin, out, in already
    }
    if (what !== 'seal' || !group.isActive(one.id)) continue
    const chunk = seal(group)
    sealed.push({ chunk, without: new Set(PEOPLE.flatMap(({ id }) => (group.removalOf(id) === undefined ? [] : [id]))) })
  }
  return { groups, sealed }
}

/** Everybody hears everything and does its duties, until there are none. */
function settle(groups: readonly Group[]): void {
  for (let round = 0; round < 6; round++) {
    cast.tell(...groups)
    const written = groups.flatMap(group => group.fulfil({ time: 2 }))
    if (written.length === 0) return
  }
  throw new Error('duties without end')
}

/** Every content key that comes out of a log by brute force, with one device's key: each box tried, then each box under each secret found. */
function derivableBy({ sealing }: DeviceIdentity, group: Group): readonly Uint8Array[] {
  const secrets = new Map<string, Uint8Array>()
  const found = (secret: Uint8Array | undefined): void => {
    if (secret?.length === 32) secrets.set(toHex(secret), secret)
  }
  const contents = group.entries().map(entry => entry.content)
  for (const content of contents) {
    if ('box' in content) found(unwrap(content.box, sealing))
    const wraps = 'epoch' in content && typeof content.epoch === 'object' ? content.epoch.wraps : 'wraps' in content ? content.wraps : []
    for (const { box } of wraps) found(unwrap(box, sealing))
  }
  for (let before = -1; before !== secrets.size;) {
    before = secrets.size
    for (const content of contents) {
      if (content.kind !== 'remove' && content.kind !== 'rotate') continue
      for (const { epoch, box } of content.epoch.parents) for (const key of secrets.values()) found(openRecord(key, `epoch ${epoch}`, box))
    }
  }
  return [...secrets.values()].map(secret => hkdf(secret, undefined, 'content-key', 32))
}

function seal({ keyring }: Group): SealedChunk {
  const { epoch, secret } = keyring.current()
  const content = utf8('a change')
  const documentId = new Uint8Array(16).fill(1)
  return sealChunk({
    keys: keyring,
    epoch,
    epochSecret: secret,
    class: 'commit',
    documentId,
    contentKey: content,
    sequence: 0,
    content,
    random: cast.random,
  })
}
