import * as A from '@automerge/automerge'
import * as fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { GROUP_DOCUMENT_ID, encodeRegister, registerContentKey, sealChunk } from '../crypto/index.ts'
import { parseChunk } from '../crypto/seal.ts'
import { signEntry } from '../group/index.ts'
import { createIdentity, type DeviceIdentity } from '../identity/index.ts'
import { LOG_EPOCH, idBytes } from '../lib/ids.ts'
import type { ChunkClass, SealedChunk } from '../ports/sealed-chunk.ts'
import { createDocumentCast, type DocumentDevice } from '../testing/document-cast.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { createSimulatedClock } from '../testing/simulated-clock.ts'
import { readBundleContents } from './bundle.ts'
import { commitContentKey, fragmentContentKey } from './content-keys.ts'
import { createDeviceInspector } from './device-inspector.ts'
import { createInlineWorker } from './inline-worker.ts'

const DOCUMENT = new Uint8Array(16).fill(7)
const random = createSeededRandom(3)
let laptop: DocumentDevice
let desk: DocumentDevice

beforeEach(async () => {
  const cast = createDocumentCast(createSimulatedClock())
  laptop = await cast.join('laptop')
  desk = await cast.join('desk')
})

function seal(
  chunkClass: ChunkClass,
  contentKey: Uint8Array,
  content: Uint8Array,
  more: { sequence?: number; documentId?: Uint8Array } = {},
): SealedChunk {
  const { epoch, secret } = laptop.keyring.current()
  const isLog = chunkClass === 'log'
  return sealChunk({
    keys: laptop.keyring,
    epoch: isLog ? LOG_EPOCH : epoch,
    epochSecret: isLog ? laptop.keyring.logKey : secret,
    class: chunkClass,
    documentId: isLog ? GROUP_DOCUMENT_ID : (more.documentId ?? DOCUMENT),
    contentKey,
    sequence: more.sequence ?? 0,
    content,
    random,
  })
}

function history(letters: number): A.Doc<{ text: string }> {
  // The same hashes in every run: where a fragment ends follows from them, and one history in fifteen of this length has none.
  let doc = A.change(A.init<{ text: string }>({ actor: 'aa'.repeat(16) }), { time: 0 }, draft => {
    draft.text = ''
  })
  for (let i = 0; i < letters; i++) doc = A.change(doc, { time: 0 }, draft => A.splice(draft, ['text'], i, 0, 'a'))
  return doc
}

const change = A.getLastLocalChange(A.from({ a: 1 })) as Uint8Array
const hash = A.decodeChange(change).hash

test('[D17] a commit under its own name is good, under another it is bad', async () => {
  expect(await desk.inspector.inspect(seal('commit', commitContentKey(hash), change))).toEqual({ kind: 'good', level: 0, covers: [] })
  expect(await desk.inspector.inspect(seal('commit', commitContentKey('ab'.repeat(32)), change))).toMatchObject({ kind: 'bad' })
})

test('[D17] a commit moved to another document is bad', async () => {
  const { id, docTag } = seal('commit', commitContentKey(hash), change, { documentId: new Uint8Array(16).fill(8) })
  const chunk = seal('commit', commitContentKey(hash), change)
  expect(await desk.inspector.inspect({ ...chunk, id, docTag })).toMatchObject({ kind: 'bad' })
})

test('[D17] bytes of another kind under a right-looking name are bad', async () => {
  for (const content of [A.save(A.from({ a: 1 })), new Uint8Array(), new Uint8Array(100)]) {
    expect(await desk.inspector.inspect(seal('commit', commitContentKey(hash), content))).toMatchObject({ kind: 'bad' })
    expect(await desk.inspector.inspect(seal('fragment', commitContentKey(hash), content))).toMatchObject({ kind: 'bad' })
    expect(await desk.inspector.inspect(seal('register', commitContentKey(hash), content))).toMatchObject({ kind: 'bad' })
    expect(await desk.inspector.inspect(seal('log', commitContentKey(hash), content))).toMatchObject({ kind: 'bad' })
  }
})

test('[D33] an entry that a key nobody added signs is bad in a chunk of the log, that of a member is good', async () => {
  const { identity, group, keyring, store } = desk
  const inspector = createDeviceInspector({ keyring, worker: createInlineWorker(), chunkStore: store, mayBelong: group.mayBelong })
  const entryOf = ({ signing }: DeviceIdentity): SealedChunk => {
    const content = { kind: 'rename', target: identity.id, name: 'x' } as const
    const entry = signEntry({ group: group.id, parents: group.state.peek().heads, time: 1, content }, signing)
    return group.toChunk(entry)
  }
  expect(await inspector.inspect(entryOf(identity))).toMatchObject({ kind: 'good' })
  expect(await inspector.inspect(entryOf(createIdentity({ name: 'nobody', random })))).toMatchObject({ kind: 'bad' })
})

test('[D17] a chunk of an epoch not held is unreadable, whatever is in it', async () => {
  desk.isLocked = true
  expect(await desk.inspector.inspect(seal('commit', commitContentKey(hash), change))).toEqual({ kind: 'unreadable' })
})

test('[D17] a chunk of an epoch that no entry made is bad: unread, it would hold the place of the one it is named after', async () => {
  const chunk = seal('commit', commitContentKey(hash), change)
  const bytes = chunk.bytes.slice()
  bytes.fill(0xee, 2, 18)
  const madeUp = parseChunk(bytes)
  expect(madeUp.ok && (await desk.inspector.inspect(madeUp.value))).toMatchObject({ kind: 'bad' })
})

test('[D17] a flipped byte anywhere is bad or unreadable', async () => {
  const chunk = seal('commit', commitContentKey(hash), change)
  for (let at = 0; at < chunk.bytes.length; at += 7) {
    const bytes = chunk.bytes.slice()
    bytes[at] = (bytes[at] as number) ^ 1
    expect((await desk.inspector.inspect({ ...chunk, bytes })).kind, `byte ${at}`).not.toBe('good')
  }
})

test('[D17] a register must be signed and be the one it is named after', async () => {
  const register = { documentId: DOCUMENT, name: 'claim', device: laptop.id, sequence: 3, body: new Uint8Array([1]) }
  const content = encodeRegister(register, laptop.identity.signing)
  const key = registerContentKey('claim', laptop.id)
  expect(await desk.inspector.inspect(seal('register', key, content, { sequence: 3 }))).toMatchObject({ kind: 'good' })
  expect(await desk.inspector.inspect(seal('register', key, content, { sequence: 4 }))).toMatchObject({ kind: 'bad' })
  const others = registerContentKey('claim', desk.id)
  expect(await desk.inspector.inspect(seal('register', others, content, { sequence: 3 }))).toMatchObject({ kind: 'bad' })
})

test('[D17] a group entry must be signed and have its id as name', async () => {
  const [genesis] = laptop.group.entries()
  if (genesis === undefined) throw new Error('a group has a genesis')
  expect(await desk.inspector.inspect(laptop.group.toChunk(genesis))).toMatchObject({ kind: 'good' })
  expect(await desk.inspector.inspect(seal('log', commitContentKey(hash), genesis.bytes))).toMatchObject({ kind: 'bad' })
  const forged = genesis.bytes.slice()
  forged[forged.length - 1] = (forged.at(-1) as number) ^ 1
  expect(await desk.inspector.inspect(seal('log', idBytes(genesis.id), forged))).toMatchObject({ kind: 'bad' })
})

test('[D18] a fragment covers what its bundle holds', async () => {
  const doc = history(700)
  const [fragment] = A.getFragments(doc)
  if (fragment === undefined) throw new Error('700 changes have a fragment')
  const contents = readBundleContents(fragment.bytes, { maxInflatedBytes: 2 ** 30 })
  const chunk = seal('fragment', fragmentContentKey(contents), fragment.bytes)
  const verdict = await desk.inspector.inspect(chunk)
  const commitIds = fragment.members.map(member => seal('commit', commitContentKey(member), new Uint8Array()).id)
  expect(verdict).toMatchObject({ kind: 'good', level: fragment.level })
  expect(verdict.kind === 'good' && [...verdict.covers].sort()).toEqual(commitIds.sort())
})

test('[D18] a fragment named after members, a level or a head it does not have is refused', async () => {
  const doc = history(700)
  const [fragment] = A.getFragments(doc)
  if (fragment === undefined) throw new Error('700 changes have a fragment')
  const contents = readBundleContents(fragment.bytes, { maxInflatedBytes: 2 ** 30 })
  const lies = [
    { ...contents, members: [...contents.members, 'ff'.repeat(32)] },
    { ...contents, members: contents.members.slice(1) },
    { ...contents, level: contents.level + 1 },
    { ...contents, head: 'ff'.repeat(32) },
  ]
  for (const lie of lies) {
    expect(await desk.inspector.inspect(seal('fragment', fragmentContentKey(lie), fragment.bytes))).toMatchObject({ kind: 'bad' })
  }
})

test('[D18] covers of stored fragments are decoded again after a restart', async () => {
  const [fragment] = A.getFragments(history(700))
  if (fragment === undefined) throw new Error('700 changes have a fragment')
  const contents = readBundleContents(fragment.bytes, { maxInflatedBytes: 2 ** 30 })
  const chunk = seal('fragment', fragmentContentKey(contents), fragment.bytes)
  await desk.store.apply({ put: [{ ...chunk, live: true }] })
  const covers = await desk.inspector.covers(chunk.docTag, [chunk.id])
  expect(covers.get(chunk.id)?.covers.length).toBe(fragment.members.length)
})

test('[D17] no content makes it throw', async () => {
  const classes: readonly ChunkClass[] = ['commit', 'fragment', 'register', 'log']
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...classes), fc.uint8Array({ maxLength: 60 }), async (chunkClass, content) => {
      expect(await desk.inspector.inspect(seal(chunkClass, new Uint8Array(32), content))).toMatchObject({ kind: 'bad' })
    }),
    { numRuns: 2_000 },
  )
})
