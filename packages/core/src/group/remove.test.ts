import { expect, test } from 'vitest'
import { labelledHash, openChunk, sealChunk, wrapFor, type Keyring } from '../crypto/index.ts'
import { utf8 } from '../lib/bytes.ts'
import { isSegueError } from '../lib/errors.ts'
import { epochOf, idBytes, type EntryId } from '../lib/ids.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { createGroupCast, ruleRefusing } from '../testing/group-cast.ts'
import { signedEntryBytes } from '../testing/group-log.ts'
import { signEntry } from './entry.ts'
import type { Group } from './group-interface.ts'

const cast = createGroupCast(90)
const { random, tell } = cast
const [laptop, desk, phone, tablet] = ['laptop', 'desk', 'phone', 'tablet'].map(cast.device) as [Dev, Dev, Dev, Dev]
type Dev = ReturnType<typeof cast.device>

/** Laptop (admin), desk (admin), phone (member). */
function three(): { onLaptop: Group; onDesk: Group; onPhone: Group } {
  const onLaptop = cast.found(laptop)
  cast.add(onLaptop, desk, 'admin')
  cast.add(onLaptop, phone)
  return { onLaptop, onDesk: cast.open(desk, onLaptop), onPhone: cast.open(phone, onLaptop) }
}
function seal(keyring: Keyring): SealedChunk {
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
    random,
  })
}
function opens(group: Group, chunk: SealedChunk): boolean {
  const secret = group.keyring.secretOf(chunk.epoch)
  return secret !== undefined && openChunk(chunk, secret).ok
}

test('[G37] a removed device is out on every device, and its removal says by whom, when, and which epoch it made', () => {
  const { onLaptop, onDesk, onPhone } = three()
  const entry = onLaptop.remove(phone.id, { time: 9 })
  tell(onLaptop, onDesk, onPhone)
  for (const group of [onLaptop, onDesk, onPhone]) {
    expect(group.isActive(phone.id)).toBe(false)
    expect(group.removalOf(phone.id)).toMatchObject({ entry: entry.id, target: phone.id, by: laptop.id, at: 9 })
    expect(group.keyring.knows(group.removalOf(phone.id)?.epoch as never)).toBe(true)
    expect(group.removalOf(desk.id)).toBeUndefined()
  }
  expect(onLaptop.state.peek().devices.map(({ name, active }) => [name, active])).toEqual([
    ['laptop', true],
    ['desk', true],
    ['phone', false],
  ])
})

test('[G45] [I5] what is sealed after a removal opens on those who stay, not on the removed device', () => {
  const { onLaptop, onDesk, onPhone } = three()
  const before = seal(onLaptop.keyring)
  onLaptop.remove(phone.id, { time: 9 })
  tell(onLaptop, onDesk, onPhone)
  const after = seal(onLaptop.keyring)
  expect(after.epoch).not.toBe(before.epoch)
  expect([onLaptop, onDesk, onPhone].map(group => opens(group, after))).toEqual([true, true, false])
  expect(opens(onPhone, before)).toBe(true)
  expect(seal(onDesk.keyring).epoch).toBe(after.epoch)
})

test('[G45] a removal that wraps its epoch for whom it removes, or for a stranger, does not count', () => {
  const { onLaptop, onDesk } = three()
  for (const outsider of [phone, tablet]) {
    const secret = random.bytes(32)
    const wraps = [desk, outsider].map(({ id, sealing }) => ({ device: id, box: wrapFor(sealing.publicKey, secret, random) }))
    const epoch = { check: labelledHash('epoch-check', [secret]), parents: [], wraps }
    const parents = onDesk.state.peek().heads
    const entry = signEntry({ group: onDesk.id, parents, time: 3, content: { kind: 'remove', target: phone.id, epoch } }, desk.signing)
    expect(onLaptop.receive([entry.bytes])).toMatchObject([{ kind: 'added' }])
    expect(onLaptop.isActive(phone.id)).toBe(true)
    expect(onLaptop.keyring.knows(epochOf(entry.id))).toBe(false)
  }
})

test('[G46] whoever comes after a removal, or slept through it, opens what came before it and after', () => {
  const { onLaptop, onDesk } = three()
  const chunks = [seal(onLaptop.keyring)]
  onLaptop.remove(phone.id, { time: 9 })
  chunks.push(seal(onLaptop.keyring))
  onLaptop.rotate({ time: 10 })
  chunks.push(seal(onLaptop.keyring))
  cast.add(onLaptop, tablet)
  tell(onLaptop, onDesk)
  for (const group of [onDesk, cast.open(tablet, onLaptop), cast.open(laptop, onLaptop)]) {
    expect(chunks.map(chunk => opens(group, chunk))).toEqual([true, true, true])
  }
})

test('[G46] an add brings one wrap, however often keys were rotated before', () => {
  const { onLaptop } = three()
  for (let i = 0; i < 5; i++) onLaptop.rotate({ time: i })
  cast.add(onLaptop, tablet)
  const added = onLaptop.entryThatAdded(tablet.id)?.content
  expect(added?.kind === 'add' && added.wraps.length).toBe(1)
})

test('[G41] a removed device does not come back under its key, but under a fresh one', () => {
  const { onLaptop, onDesk } = three()
  onLaptop.remove(phone.id, { time: 9 })
  expect(ruleRefusing(() => cast.add(onLaptop, phone))).toBe('deviceIsNew')
  const again = cast.device('phone')
  cast.add(onLaptop, again)
  tell(onLaptop, onDesk)
  const onPhone = cast.open(again, onDesk)
  expect(onPhone.isActive(again.id)).toBe(true)
  expect(onPhone.isActive(phone.id)).toBe(false)
  expect(opens(onPhone, seal(onDesk.keyring))).toBe(true)
})

test('[G42] members remove nobody, a removed device cannot be removed again, the last admin cannot go', () => {
  const { onLaptop, onPhone, onDesk } = three()
  expect(ruleRefusing(() => onPhone.remove(desk.id, { time: 1 }))).toBe('needsAdmin')
  expect(ruleRefusing(() => onLaptop.remove(tablet.id, { time: 1 }))).toBe('targetIsKnown')
  onLaptop.remove(desk.id, { time: 1 })
  expect(ruleRefusing(() => onLaptop.remove(desk.id, { time: 2 }))).toBe('targetIsMember')
  expect(ruleRefusing(() => onLaptop.remove(laptop.id, { time: 2 }))).toBe('leavesAnAdmin')
  tell(onLaptop, onDesk)
  expect(ruleRefusing(() => onDesk.remove(laptop.id, { time: 3 }))).toBe('authorWasActive')
})

test('[G24] [G38] a device whose adding was voided opens its group still, to see that it is out', () => {
  const { onLaptop, onDesk } = three()
  cast.add(onDesk, tablet)
  const onTablet = cast.open(tablet, onDesk)
  onLaptop.remove(desk.id, { time: 3 })
  tell(onLaptop, onTablet)
  const again = cast.open(tablet, onTablet)
  expect([again.isActive(tablet.id), again.device(tablet.id)]).toEqual([false, undefined])
  expect(opens(again, seal(onLaptop.keyring))).toBe(false)
})

test('[G47] with two removals at once no epoch is valid, and whoever seals first rotates', () => {
  const { onLaptop, onDesk } = three()
  cast.add(onLaptop, tablet)
  tell(onLaptop, onDesk)
  const onTablet = cast.open(tablet, onLaptop)
  onLaptop.remove(phone.id, { time: 9 })
  onDesk.remove(tablet.id, { time: 9 })
  tell(onLaptop, onDesk, onTablet)
  expect(onLaptop.duties()).toContainEqual({ kind: 'rotate' })
  const chunk = seal(onLaptop.keyring)
  expect(onLaptop.entries().at(-1)?.content.kind).toBe('rotate')
  expect(onLaptop.duties()).toEqual([])
  tell(onLaptop, onDesk, onTablet)
  expect([onDesk, onTablet].map(group => opens(group, chunk))).toEqual([true, false])
  expect(seal(onDesk.keyring).epoch).toBe(chunk.epoch)
})

test('[G48] a device added while keys were rotated elsewhere is given the new epoch by the most senior who holds it', () => {
  const { onLaptop, onDesk } = three()
  onDesk.remove(phone.id, { time: 9 })
  cast.add(onLaptop, tablet)
  tell(onLaptop, onDesk)
  const onTablet = cast.open(tablet, onLaptop)
  const chunk = seal(onDesk.keyring)
  expect(opens(onTablet, chunk)).toBe(false)
  expect(onDesk.duties()).toEqual([{ kind: 'wrap', epoch: chunk.epoch, device: tablet.id, isFirst: false }])
  expect(onDesk.fulfil({ time: 10 })).toEqual([])
  expect(onLaptop.fulfil({ time: 10 }).map(({ content }) => content.kind)).toEqual(['wrap'])
  tell(onLaptop, onDesk, onTablet)
  expect(opens(onTablet, chunk)).toBe(true)
  expect([onLaptop, onDesk, onTablet].flatMap(group => group.duties())).toEqual([])
})

test('[G48] key changes are heard: by a wrap, by a removal, and not by a name', () => {
  const { onLaptop, onDesk } = three()
  const heard: number[] = []
  onDesk.keyChanges.subscribe(count => heard.push(count))
  onLaptop.rename(laptop.id, 'book', 2)
  tell(onLaptop, onDesk)
  expect(heard.length).toBe(0)
  onLaptop.remove(phone.id, { time: 3 })
  tell(onLaptop, onDesk)
  expect(heard.length).toBe(1)
})

test('[G51] a removal and what goes with it are heard of at once', () => {
  const { onLaptop } = three()
  const batches: number[] = []
  onLaptop.onEntries(entries => batches.push(entries.length))
  onLaptop.remove(phone.id, { time: 9 })
  expect(batches).toEqual([1])
})

test('[G49] a wrap that opens to another secret than the others got is passed over, and an honest rotation takes its place', () => {
  const { onLaptop, onDesk, onPhone } = three()
  const parents = onPhone.state.peek().heads
  const secret = random.bytes(32)
  const wraps = [
    { device: laptop.id, box: wrapFor(laptop.sealing.publicKey, random.bytes(32), random) },
    { device: desk.id, box: wrapFor(desk.sealing.publicKey, secret, random) },
    { device: phone.id, box: wrapFor(phone.sealing.publicKey, secret, random) },
  ]
  const epoch = { check: labelledHash('epoch-check', [secret]), parents: [], wraps }
  const entry = signEntry({ group: onPhone.id, parents, time: 3, content: { kind: 'rotate', epoch } }, phone.signing)
  for (const group of [onLaptop, onDesk]) group.receive([entry.bytes])
  const lost = seal(onDesk.keyring)
  expect(lost.epoch).toBe(epochOf(entry.id))
  expect(onLaptop.keyring.knows(lost.epoch)).toBe(true)
  expect(opens(onLaptop, lost)).toBe(false)
  expect(onLaptop.duties()).toContainEqual({ kind: 'rotate' })
  onLaptop.fulfil({ time: 4 })
  expect(onLaptop.duties()).toEqual([]) // once, however long nobody answers
  tell(onLaptop, onDesk, onPhone)
  expect([onLaptop, onPhone].map(group => opens(group, seal(onDesk.keyring)))).toEqual([true, true])
  // The laptop left the epoch out of its own, so the others give it what it lacks.
  expect(onDesk.duties()).toEqual([{ kind: 'wrap', epoch: lost.epoch, device: laptop.id, isFirst: true }])
  onDesk.fulfil({ time: 5 })
  tell(onLaptop, onDesk)
  expect(opens(onLaptop, lost)).toBe(true)
  expect([onLaptop, onDesk].flatMap(group => group.duties())).toEqual([])
})

test('[G50] what was sealed under the epoch of a voided entry can be read for good, by newcomers too; nothing new is sealed under it', () => {
  const { onLaptop, onDesk, onPhone } = three()
  cast.add(onLaptop, tablet)
  tell(onLaptop, onDesk, onPhone)
  onDesk.rotate({ time: 3 })
  tell(onDesk, onPhone)
  const inGoodFaith = seal(onPhone.keyring)
  onLaptop.remove(desk.id, { time: 3 })
  tell(onLaptop, onPhone)
  expect(seal(onPhone.keyring).epoch).toBe(seal(onLaptop.keyring).epoch)
  expect(seal(onPhone.keyring).epoch).not.toBe(inGoodFaith.epoch)
  const watch = cast.device('watch')
  cast.add(onLaptop, watch)
  expect([onLaptop, cast.open(watch, onLaptop)].map(group => opens(group, inGoodFaith))).toEqual([true, true])
})

test('[G66] who is removed by what is void as far as another knows is given the key; once that prevails it opens nothing new', () => {
  const { onLaptop, onDesk, onPhone } = three()
  onLaptop.setRole(phone.id, 'admin', 2)
  cast.add(onLaptop, tablet)
  tell(onLaptop, onDesk, onPhone)
  onPhone.remove(laptop.id, { time: 3 })
  const between = seal(onPhone.keyring)
  onDesk.remove(phone.id, { time: 3 })
  tell(onPhone, onDesk)
  expect(onDesk.isActive(laptop.id)).toBe(true)
  for (let left = 3; left > 0 && onDesk.duties().length > 0; left--) onDesk.fulfil({ time: 4 })
  const removal = onLaptop.remove(desk.id, { time: 3 })
  tell(onDesk, onLaptop)
  expect(opens(onLaptop, between)).toBe(true)

  for (const group of [onDesk, onPhone]) group.receive([removal.bytes])
  tell(onDesk, onPhone)
  expect([laptop, desk, phone].map(({ id }) => onPhone.isActive(id))).toEqual([false, false, true])
  const after = seal(onPhone.keyring)
  tell(onPhone, onLaptop, onDesk)
  expect([onLaptop, onDesk].map(group => opens(group, after))).toEqual([false, false])
})

test('[G52] a frozen group still removes and still seals; removing who froze it ends that', () => {
  const { onLaptop, onDesk, onPhone } = three()
  const future = signedEntryBytes(desk, {
    v: 2,
    group: idBytes(onDesk.id),
    author: desk.signing.publicKey,
    parents: onDesk.state.peek().heads.map(idBytes),
    kind: 'expel-all',
    body: {},
    time: 3,
  })
  for (const group of [onLaptop, onDesk, onPhone]) group.receive([future])
  expect(onLaptop.state.peek().needsUpdate).toBe(true)
  expect(
    isSegueError(
      thrownBy(() => cast.add(onLaptop, tablet)),
      'GROUP_NEWER',
    ),
  ).toBe(true)
  onLaptop.remove(phone.id, { time: 4 })
  expect(onLaptop.state.peek().needsUpdate).toBe(true)
  onLaptop.remove(desk.id, { time: 5 })
  tell(onLaptop, onDesk, onPhone)
  for (const group of [onLaptop, onDesk, onPhone]) {
    expect(group.state.peek().needsUpdate).toBe(false)
    expect(group.isActive(desk.id)).toBe(false)
  }
  cast.add(onLaptop, tablet)
  expect(opens(onDesk, seal(onLaptop.keyring))).toBe(false)
})

test('[G47] [G58] [I5] whoever leaves by itself chose the key of that epoch: those who stay seal under one of their own', () => {
  const { onLaptop, onDesk, onPhone } = three()
  const left = onLaptop.remove(laptop.id, { time: 2 })
  tell(onLaptop, onDesk, onPhone)
  expect(onDesk.duties()).toContainEqual({ kind: 'rotate' })
  expect(onDesk.isLate(epochOf(left.id), laptop.id)).toBe(true)
  const { epoch } = onDesk.keyring.current()
  expect(epoch).not.toBe(epochOf(left.id))
  expect(onDesk.isLate(epoch)).toBe(false)
  tell(onDesk, onPhone)
  expect(opens(onPhone, seal(onDesk.keyring))).toBe(true)
  expect(opens(onLaptop, seal(onDesk.keyring))).toBe(false)
})

test('[G58] content is late under every epoch that the removed device knew, and under none after', () => {
  const { onLaptop, onDesk } = three()
  const before = onLaptop.keyring.current().epoch
  expect(onLaptop.isLate(before)).toBe(false)
  onLaptop.rotate({ time: 2 })
  const rotated = onLaptop.keyring.current().epoch
  const removal = onLaptop.remove(phone.id, { time: 3 })
  const after = onLaptop.keyring.current().epoch
  expect([before, rotated, after].map(epoch => onLaptop.isLate(epoch))).toEqual([true, true, false])
  expect(onLaptop.isLate(before, phone.id)).toBe(true)
  expect(onLaptop.isLate(before, desk.id)).toBe(false)
  expect([...onLaptop.epochsKnownTo(phone.id)].sort()).toEqual([before, rotated].sort())
  const heads = onDesk.state.peek().heads
  expect(onLaptop.knows(heads, removal.id)).toBe(false)
  tell(onLaptop, onDesk)
  expect(onLaptop.knows(onDesk.state.peek().heads, removal.id)).toBe(true)
  expect(onLaptop.knows(['ff'.repeat(32) as EntryId], removal.id)).toBe(false)
})

test('[G58] a device cannot make its edits pass for timely by leaving an epoch out of its own', () => {
  const { onLaptop, onPhone } = three()
  const before = onLaptop.keyring.current().epoch
  const epoch = { check: labelledHash('epoch-check', [random.bytes(32)]), parents: [], wraps: [] }
  const parents = onPhone.state.peek().heads
  const entry = signEntry({ group: onPhone.id, parents, time: 3, content: { kind: 'rotate', epoch } }, phone.signing)
  onLaptop.receive([entry.bytes])
  onLaptop.remove(phone.id, { time: 4 })
  expect(onLaptop.isLate(before, phone.id)).toBe(true)
  expect(onLaptop.isLate(epochOf(entry.id), phone.id)).toBe(true) // it made that one, so it knows the secret
})

function thrownBy(task: () => unknown): unknown {
  try {
    task()
  } catch (error) {
    return error
  }
  return undefined
}
