import { expect, test } from 'vitest'
import { hkdf, openChunk, portableVerifier, sealChunk, unwrap, type Keyring } from '../crypto/index.ts'
import { createIdentity, type DeviceIdentity } from '../identity/index.ts'
import { toHex, utf8 } from '../lib/bytes.ts'
import { isSegueError } from '../lib/errors.ts'
import { GROUP_DOC_TAG, LOG_EPOCH, epochOf, idBytes } from '../lib/ids.ts'
import type { Verifier } from '../ports/verifier.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { signedEntryBytes } from '../testing/group-log.ts'
import type { SignedEntry } from './entry.ts'
import { foundGroup, openGroup } from './group.ts'
import type { Group, NewDevice } from './group-interface.ts'

const random = createSeededRandom(40)
const device = (name: string): DeviceIdentity => createIdentity({ name, random })
const laptop = device('laptop')
const desk = device('desk')
const phone = device('phone')
/** The real verifier, asked once for each signature: the tests below show the same entries to many groups. */
const verifier = rememberingVerifier()

const bytesOf = (entries: readonly SignedEntry[]): readonly Uint8Array[] => entries.map(entry => entry.bytes)
const asNew = (identity: DeviceIdentity, role: NewDevice['role'] = 'member'): NewDevice => ({
  keys: { signing: identity.signing.publicKey, sealing: identity.sealing.publicKey },
  role,
  name: identity.name,
  time: 1,
})
const found = (): Group => foundGroup({ identity: laptop, random, time: 0, verifier })
const open = (identity: DeviceIdentity, group: Group, entries: readonly Uint8Array[] = bytesOf(group.entries())): Group =>
  openGroup({ identity, random, secret: group.secret, entries, verifier })
/** The laptop's group with the desk in it, as both hold it. */
const pair = (role: NewDevice['role'] = 'member'): { onLaptop: Group; onDesk: Group } => {
  const onLaptop = found()
  onLaptop.add(asNew(desk, role))
  return { onLaptop, onDesk: open(desk, onLaptop) }
}

test('[G2] [G3] what is not an entry of this group is refused, the rest of the batch taken', () => {
  const { onLaptop, onDesk } = pair()
  const renamed = onLaptop.rename(laptop.id, 'big one', 2)
  const tampered = renamed.bytes.with(renamed.bytes.length - 1, (renamed.bytes.at(-1) as number) ^ 1)
  const foreign = found().entries()[0] as SignedEntry
  expect(onDesk.receive([new Uint8Array([1, 2]), tampered, foreign.bytes, renamed.bytes, renamed.bytes])).toEqual([
    { kind: 'refused', reason: 'entry: not-cbor' },
    { kind: 'refused', reason: 'bad signature' },
    { kind: 'refused', reason: 'of another group' },
    { kind: 'added', id: renamed.id },
    { kind: 'added', id: renamed.id },
  ])
  expect(onDesk.receive([renamed.bytes])).toEqual([{ kind: 'known', id: renamed.id }])
})

test('[G4] an entry that comes before its parent is held, then joins', () => {
  const { onLaptop, onDesk } = pair()
  const first = onLaptop.rename(laptop.id, 'one', 2)
  const second = onLaptop.rename(laptop.id, 'two', 3)
  expect(onDesk.receive([second.bytes])).toEqual([{ kind: 'held', id: second.id }])
  expect(onDesk.device(laptop.id)?.name).toBe('laptop')
  expect(onDesk.receive([first.bytes])).toEqual([{ kind: 'added', id: first.id }])
  expect(onDesk.device(laptop.id)?.name).toBe('two')
})

test('[G5] an entry from the future is kept, given on, and stops this device from writing', () => {
  const { onLaptop, onDesk } = pair('admin')
  const future = signedEntryBytes(laptop, {
    v: 2,
    group: idBytes(onLaptop.id),
    author: laptop.signing.publicKey,
    parents: onLaptop.state.peek().heads.map(idBytes),
    kind: 'remove',
    body: { target: desk.signing.publicKey },
    time: 9,
    later: true,
  })
  onDesk.receive([future])
  expect(onDesk.state.peek().needsUpdate).toBe(true)
  expect(bytesOf(onDesk.entries())).toContainEqual(future)
  for (const write of [
    () => onDesk.add(asNew(phone)),
    () => onDesk.setRole(laptop.id, 'member', 10),
    () => onDesk.rename(desk.id, 'x', 10),
  ]) {
    expect(codeOf(write)).toBe('GROUP_NEWER')
  }
  expect(openChunk(seal(onDesk.keyring), onDesk.keyring.current().secret).ok).toBe(true) // content is still sealed and read
})

test('[G9] a new entry joins all decisions; a name also follows the one before it, and nothing follows a name of something else', () => {
  const { onLaptop, onDesk } = pair('admin')
  const there = onDesk.add(asNew(phone))
  const named = onDesk.rename(desk.id, 'tower', 2)
  const here = onLaptop.setRole(desk.id, 'admin', 2)
  onLaptop.receive([there.bytes, named.bytes])
  const renamed = onLaptop.rename(desk.id, 'note', 3)
  expect(renamed.parents).toEqual([there.id, named.id, here.id].sort())
  const decided = onLaptop.setRole(phone.id, 'admin', 4)
  expect(decided.parents).toEqual([there.id, here.id].sort())
  expect(onLaptop.state.peek().heads).toEqual([renamed.id, decided.id].sort())
})

test('[G18] the live group says the same in all 720 orders of six entries', () => {
  const { onLaptop, onDesk } = pair('admin')
  onDesk.rename(laptop.id, 'theirs', 2)
  onLaptop.rename(laptop.id, 'mine', 2)
  onLaptop.add(asNew(phone))
  onLaptop.receive(bytesOf(onDesk.entries()))
  onLaptop.setRole(desk.id, 'member', 3)
  const entries = bytesOf(onLaptop.entries())
  expect(entries.length).toBe(6)
  const expected = JSON.stringify(onLaptop.state.peek())
  for (const order of permutations(entries)) {
    const group = open(desk, onLaptop, [entries[0] as Uint8Array, entries[1] as Uint8Array])
    for (const entry of order) group.receive([entry])
    if (JSON.stringify(group.state.peek()) !== expected) throw new Error('another answer in another order')
  }
})

test('[G19] what would not count is not written, and says which rule it breaks', () => {
  const { onDesk, onLaptop } = pair()
  expect(ruleOf(() => onDesk.add(asNew(phone)))).toBe('needsAdmin')
  expect(ruleOf(() => onDesk.setRole(desk.id, 'admin', 1))).toBe('needsAdmin')
  expect(ruleOf(() => onDesk.rename(laptop.id, 'x', 1))).toBe('namesItselfOrIsAdmin')
  expect(ruleOf(() => onLaptop.add(asNew(desk)))).toBe('deviceIsNew')
  expect(ruleOf(() => onLaptop.setRole(laptop.id, 'member', 1))).toBe('leavesAnAdmin')
  expect(ruleOf(() => onLaptop.rename(phone.id, 'x', 1))).toBe('targetIsKnown')
  expect(ruleOf(() => onLaptop.rename(desk.id, 'a\nb', 1))).toBe('isDeviceName')
  expect(ruleOf(() => onLaptop.add({ ...asNew(phone), keys: { signing: new Uint8Array(32), sealing: phone.sealing.publicKey } }))).toBe(
    'keysAreAdmissible',
  )
  expect(onLaptop.entries().length).toBe(2)
})

test('[G19] a 33rd device is not added', () => {
  const group = found()
  for (let i = 1; i < 32; i++) group.add(asNew(device(`device ${i}`)))
  expect(codeOf(() => group.add(asNew(phone)))).toBe('GROUP_FULL')
})

test('[G20] naming keys differ by label, are equal on every device, and do not change', () => {
  const { onLaptop, onDesk } = pair()
  const { idKey, tagKey, logKey } = onLaptop.keyring
  expect(new Set([idKey, tagKey, logKey, onLaptop.secret].map(toHex)).size).toBe(4)
  expect([onDesk.keyring.idKey, onDesk.keyring.tagKey, onDesk.keyring.logKey]).toEqual([idKey, tagKey, logKey])
  onLaptop.add(asNew(phone))
  expect(onLaptop.keyring.idKey).toEqual(idKey)
})

test('[G21] the founder finds the first epoch again in its log', () => {
  const group = found()
  const { epoch, secret } = group.keyring.current()
  expect(epoch).toBe(epochOf(group.id))
  expect(open(laptop, group).keyring.current()).toEqual({ epoch, secret })
  expect(group.keyring.secretOf(LOG_EPOCH)).toEqual(group.keyring.logKey)
  expect(group.keyring.secretOf(epochOf('ff'.repeat(32) as never))).toBeUndefined()
})

test('[G30] only epochs that an entry made, or one of an unknown kind may have made, are known', () => {
  const { onLaptop, onDesk } = pair()
  const renamed = onDesk.rename(desk.id, 'tower', 2)
  onLaptop.receive([renamed.bytes])
  const { knows } = onLaptop.keyring
  expect([onLaptop.keyring.current().epoch, LOG_EPOCH, epochOf(renamed.id), epochOf('ff'.repeat(32) as never)].map(knows)).toEqual([
    true,
    true,
    false,
    false,
  ])
  const parents = [idBytes(renamed.id)]
  const author = desk.signing.publicKey
  const future = signedEntryBytes(desk, { v: 1, group: idBytes(onLaptop.id), author, parents, kind: 'reshape', body: {}, time: 3 })
  const [outcome] = onLaptop.receive([future])
  expect(outcome?.kind === 'added' && knows(epochOf(outcome.id))).toBe(true)
})

test('[G30] chunks may come before the rotation that made their epoch is read: it is known as soon as the entry is worth storing', () => {
  const { onLaptop, onDesk } = pair()
  const rotation = onLaptop.rotate({ time: 3 })
  expect(onDesk.keyring.knows(epochOf(rotation.id))).toBe(false)
  expect(onDesk.mayBelong(rotation)).toBe(true)
  expect(onDesk.keyring.knows(epochOf(rotation.id))).toBe(true)
  expect(onDesk.keyring.secretOf(epochOf(rotation.id))).toBeUndefined()
  const [foreign] = [found().rotate({ time: 3 })]
  expect([onDesk.mayBelong(foreign), onDesk.keyring.knows(epochOf(foreign.id))]).toEqual([false, false])
})

test('[G22] a newcomer opens what was sealed before it came, and its own is opened by others', () => {
  const onLaptop = found()
  const before = seal(onLaptop.keyring)
  onLaptop.add(asNew(desk))
  const onDesk = open(desk, onLaptop)
  expect(openChunk(before, onDesk.keyring.secretOf(before.epoch) ?? new Uint8Array(32)).ok).toBe(true)
  const after = seal(onDesk.keyring)
  expect(openChunk(after, onLaptop.keyring.secretOf(after.epoch) ?? new Uint8Array(32)).ok).toBe(true)
  expect(after.id).toBe(before.id)
})

test('[G22] the content key is derived from the epoch secret, and neither is in the log', () => {
  const { onLaptop } = pair()
  const genesis = onLaptop.entries()[0]?.content
  const secret = genesis?.kind === 'genesis' ? unwrap(genesis.box, laptop.sealing) : undefined
  expect(onLaptop.keyring.current().secret).toEqual(hkdf(secret ?? new Uint8Array(), undefined, 'content-key', 32))
  const log = onLaptop
    .entries()
    .map(entry => toHex(entry.bytes))
    .join()
  expect(log).not.toContain(toHex(onLaptop.keyring.current().secret))
  expect(log).not.toContain(toHex(onLaptop.secret))
})

test('[G23] an entry travels as a log chunk and comes out the same', () => {
  const { onLaptop, onDesk } = pair()
  const entry = onLaptop.rename(laptop.id, 'book', 2)
  const chunk = onLaptop.toChunk(entry)
  expect(chunk).toMatchObject({ class: 'log', epoch: LOG_EPOCH, docTag: GROUP_DOC_TAG, sequence: 0 })
  expect(onDesk.fromChunk(chunk)).toEqual({ ok: true, value: entry.bytes })
  expect(onDesk.toChunk(entry).id).toBe(chunk.id)
})

test('[G23] a log chunk whose entry is not signed is refused, so that it cannot stand in the way of the real one', () => {
  const { onLaptop, onDesk } = pair()
  const entry = onLaptop.rename(laptop.id, 'book', 2)
  const tampered = entry.bytes.with(entry.bytes.length - 1, (entry.bytes.at(-1) as number) ^ 1)
  expect(onDesk.fromChunk(onLaptop.toChunk({ ...entry, bytes: tampered }))).toEqual({ ok: false, error: 'bad signature' })
})

test('[G23] a log chunk under the id of another entry, or of another group, is refused', () => {
  const { onLaptop } = pair()
  const [genesis, added] = onLaptop.entries() as [SignedEntry, SignedEntry]
  const misnamed = onLaptop.toChunk({ ...added, id: genesis.id })
  expect(onLaptop.fromChunk(misnamed)).toEqual({ ok: false, error: 'not what its id says' })
  expect(onLaptop.fromChunk(found().toChunk(genesis)).ok).toBe(false)
  expect(onLaptop.fromChunk(seal(onLaptop.keyring)).ok).toBe(false)
})

test('[G24] a group opens from its entries in any order, and says the same', () => {
  const { onLaptop } = pair()
  onLaptop.rename(laptop.id, 'book', 2)
  const again = open(laptop, onLaptop, bytesOf(onLaptop.entries()).toReversed())
  expect(again.state.peek()).toEqual(onLaptop.state.peek())
  expect([again.id, again.rootDocumentId]).toEqual([onLaptop.id, onLaptop.rootDocumentId])
})

test('[G24] a group does not open for a device that it does not have, nor without its genesis, nor with two', () => {
  const { onLaptop } = pair()
  const entries = bytesOf(onLaptop.entries())
  expect(codeOf(() => open(phone, onLaptop))).toBe('NOT_A_MEMBER')
  expect(ruleOf(() => open(laptop, onLaptop, entries.slice(1)))).toBe('oneGenesis')
  const unsigned = entries[0]?.with(-1, (entries[0]?.at(-1) ?? 0) ^ 1) as Uint8Array
  expect(ruleOf(() => open(laptop, onLaptop, [unsigned, ...entries.slice(1)]))).toBe('oneGenesis')
  const two = [...entries, ...bytesOf(found().entries())]
  expect(ruleOf(() => open(laptop, onLaptop, two))).toBe('oneGenesis')
  expect(openGroup({ identity: laptop, random, secret: onLaptop.secret, entries: two, id: onLaptop.id, verifier }).id).toBe(onLaptop.id)
})

test('whoever listens hears of entries received and written, causes before effects, once', () => {
  const { onLaptop, onDesk } = pair()
  const heard: string[] = []
  const stop = onDesk.onEntries(entries => heard.push(...entries.map(entry => entry.id)))
  const first = onLaptop.rename(laptop.id, 'one', 2)
  const second = onLaptop.rename(laptop.id, 'two', 3)
  onDesk.receive([second.bytes, first.bytes])
  onDesk.receive([first.bytes])
  const third = onDesk.rename(desk.id, 'three', 4)
  stop()
  onDesk.rename(desk.id, 'four', 5)
  expect(heard).toEqual([first.id, second.id, third.id])
})

function seal(keyring: Keyring): ReturnType<typeof sealChunk> {
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

function codeOf(task: () => unknown): string | undefined {
  try {
    task()
    return undefined
  } catch (error) {
    return isSegueError(error) ? error.code : String(error)
  }
}

function ruleOf(task: () => unknown): unknown {
  try {
    task()
    return undefined
  } catch (error) {
    return isSegueError(error, 'GROUP_ENTRY_REFUSED') ? error.details['rule'] : error
  }
}

function rememberingVerifier(): Verifier {
  const answers = new Map<string, boolean>()
  return {
    verify(signature, message, publicKey) {
      const question = `${toHex(signature)} ${toHex(message)} ${toHex(publicKey)}`
      const answer = answers.get(question) ?? portableVerifier.verify(signature, message, publicKey)
      answers.set(question, answer)
      return answer
    },
  }
}

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length <= 1) return [items]
  return items.flatMap((item, i) => permutations([...items.slice(0, i), ...items.slice(i + 1)]).map(rest => [item, ...rest]))
}
