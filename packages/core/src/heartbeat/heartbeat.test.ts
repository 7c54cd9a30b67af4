import { expect, test } from 'vitest'
import { GROUP_DOCUMENT_ID, encodeRegister, registerContentKey, sealChunk } from '../crypto/index.ts'
import { foundGroup } from '../group/index.ts'
import { createIdentity } from '../identity/index.ts'
import { encodeCbor } from '../lib/codec.ts'
import { hexId, type DeviceId, type EntryId, type GroupId, type MailboxId } from '../lib/ids.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { createMemoryChunkStore } from '../testing/memory-chunk-store.ts'
import { createMemoryRecordStore } from '../testing/memory-record-store.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { createSimulatedClock } from '../testing/simulated-clock.ts'
import { openHeadsBook, type HeadsBook } from './heads-book.ts'
import { createHeartbeatCarrier, decodeHeartbeat, encodeHeartbeat, logFingerprint, type Heartbeat } from './heartbeat.ts'

const random = createSeededRandom(5)
const laptop = createIdentity({ name: 'laptop', random })
const desk = createIdentity({ name: 'desk', random })
const { keyring } = foundGroup({ identity: laptop, random, time: 0 })
const carrier = createHeartbeatCarrier({ identity: laptop, keyring, random })
const heartbeat: Heartbeat = {
  counter: 7,
  log: random.bytes(32),
  heads: random.bytes(32),
  since: 6,
  time: 1_800_000_000_000,
  relays: [{ mailbox: hexId<MailboxId>(random.bytes(16)), counter: 5 }],
}
const sealed = (content: Uint8Array, sequence: number, device: DeviceId): SealedChunk =>
  sealChunk({
    keys: keyring,
    ...{ epoch: keyring.current().epoch, epochSecret: keyring.current().secret },
    class: 'register',
    documentId: GROUP_DOCUMENT_ID,
    contentKey: registerContentKey('heartbeat', device),
    sequence,
    content,
    random,
  })

test('[T1] a heartbeat comes back as it was said, from the chunk that is named for its device', () => {
  const chunk = carrier.seal(heartbeat)
  expect(chunk).toMatchObject({ id: carrier.chunkIdOf(laptop.id), sequence: 7 })
  expect(carrier.read(chunk)).toEqual({ ok: true, value: { device: laptop.id, heartbeat } })
})

test('[T1] what another key signed, another register, and another number are passed over', () => {
  const body = encodeHeartbeat(heartbeat)
  const register = { documentId: GROUP_DOCUMENT_ID, name: 'heartbeat', device: desk.id, sequence: 7, body }
  const signed = encodeRegister(register, desk.signing)
  expect(carrier.read(sealed(signed, 7, desk.id))).toMatchObject({ ok: true, value: { device: desk.id } })
  expect(carrier.read(sealed(signed, 8, desk.id)).ok).toBe(false)
  expect(carrier.read(sealed(encodeRegister({ ...register, name: 'claim' }, desk.signing), 7, desk.id)).ok).toBe(false)
  const forged = Uint8Array.from(signed)
  forged[forged.length - 1] = (forged.at(-1) as number) ^ 1
  expect(carrier.read(sealed(forged, 7, desk.id)).ok).toBe(false)
})

test('[T1] 10,000 bodies of garbage and of valid CBOR in the wrong shape make nothing throw', () => {
  const whole = encodeHeartbeat(heartbeat)
  const shapes = [{ v: 1 }, { ...heartbeat, v: 1 }, [], 7, 'x', { v: 2, log: 1 }, { v: 1, relays: [{}] }]
  for (let i = 0; i < 10_000; i++) {
    const body = i % 3 === 0 ? random.bytes(i % 200) : i % 3 === 1 ? encodeCbor(shapes[i % shapes.length]) : Uint8Array.from(whole)
    if (i % 3 === 2) body[i % body.length] = (body[i % body.length] as number) ^ (1 + (i % 255))
    expect(typeof decodeHeartbeat(body, 1).ok).toBe('boolean')
  }
  expect(decodeHeartbeat(whole, 7)).toEqual({ ok: true, value: heartbeat })
})

test('[T2] what is known of the group has one fingerprint, in whatever order', () => {
  const heads = [1, 2, 3].map(() => hexId<EntryId>(random.bytes(32)))
  expect(logFingerprint(keyring, heads)).toEqual(logFingerprint(keyring, heads.toReversed()))
  expect(logFingerprint(keyring, heads)).not.toEqual(logFingerprint(keyring, heads.slice(1)))
})

test('[T2] documents are counted once, in another run only those that changed, and all of it is the same sum', async () => {
  const heads = new Map<string, readonly string[]>()
  const counted: string[] = []
  const [store, records, clock] = [createMemoryChunkStore(), createMemoryRecordStore(), createSimulatedClock()]
  const open = (over = store, kept = records): Promise<HeadsBook> =>
    openHeadsBook({
      group: 'aa'.repeat(32) as GroupId,
      keyring,
      chunkStore: over,
      records: kept,
      clock,
      flush: async () => undefined,
      async headsOf(documentId) {
        const id = Buffer.from(documentId).toString('hex')
        counted.push(id)
        return heads.get(id) ?? []
      },
    })
  const look = async (book: HeadsBook): Promise<Uint8Array | undefined> => {
    const looking = book.look()
    await clock.advance(1_000)
    return looking
  }
  const chunkOf = (n: number, text: string): SealedChunk => {
    const { epoch, secret } = keyring.current()
    const documentId = new Uint8Array(16).fill(n)
    const content = new TextEncoder().encode(text)
    const made = { keys: keyring, epoch, epochSecret: secret, class: 'commit', documentId, contentKey: content, content, random } as const
    heads.set(Buffer.from(documentId).toString('hex'), [Buffer.alloc(32, text.length).toString('hex')])
    return sealChunk({ ...made, sequence: 0 })
  }
  const put = (over: typeof store, ...chunks: SealedChunk[]): Promise<void> =>
    over.apply({ put: chunks.map(chunk => ({ ...chunk, live: true })) })

  const [one, two, three] = [chunkOf(1, 'a'), chunkOf(2, 'bb'), chunkOf(3, 'ccc')]
  await put(store, one, two, three)
  const first = await open()
  const before = await look(first)
  expect(counted).toHaveLength(3)
  expect(await look(first)).toEqual(before)
  expect(counted).toHaveLength(3)
  const later = chunkOf(2, 'dddd')
  await put(store, later)
  const after = await look(await open())
  expect(counted).toHaveLength(4)
  expect(after).not.toEqual(before)

  const elsewhere = createMemoryChunkStore()
  await put(elsewhere, later, three)
  await put(elsewhere, one, two)
  expect(await look(await open(elsewhere, createMemoryRecordStore()))).toEqual(after)
  await store.apply({ remove: (await store.listDocument(three.docTag)).map(({ id }) => id) })
  const book = await open()
  book.note([three.docTag])
  expect(await look(book)).not.toEqual(after)
})
