import { encode } from 'cborg'
import { expect, test } from 'vitest'
import { toHex, utf8 } from '../lib/bytes.ts'
import { portableHasher } from '../crypto/hash.ts'
import { createSeededRandom, type SeededRandom } from '../testing/seeded-random.ts'
import { negotiateVersion, SYNC_VERSION } from './hello.ts'
import { decodeSyncMessage, encodeSyncMessage, syncMessageSchema, type SyncMessage } from './sync-messages.ts'

const SAMPLES: readonly SyncMessage[] = [
  {
    type: 'hello',
    versions: { min: 1, current: 1 },
    replica: new Uint8Array(16),
    incarnation: new Uint8Array(16),
    scope: new Uint8Array(32),
    except: new Uint8Array(16),
    log: { count: 3, fingerprint: new Uint8Array(32) },
    root: new Uint8Array(32),
    unchecked: 0,
    arrival: 9,
    cursor: { incarnation: new Uint8Array(16), arrival: 4 },
    isKeyless: true,
  },
  { type: 'ready' },
  { type: 'summary', buckets: new Uint8Array(8_192), isAnswer: false },
  { type: 'docs', buckets: Uint8Array.of(1), docs: new Uint8Array(48), last: true },
  { type: 'have', items: new Uint8Array(61), fresh: false, last: true },
  { type: 'want', ids: new Uint8Array(32) },
  { type: 'chunks', chunks: [new Uint8Array(3)] },
  { type: 'part', of: 'chunk', id: new Uint8Array(32), index: 0, count: 2, bytes: new Uint8Array(3) },
  { type: 'stored', ids: new Uint8Array(32), given: true },
  { type: 'refused', ids: new Uint8Array(32), why: 'absent' },
  { type: 'reject', id: new Uint8Array(32), bytesHash: new Uint8Array(32), why: 'x' },
  { type: 'root', root: new Uint8Array(32), log: { count: 1, fingerprint: new Uint8Array(32) }, unchecked: 0, arrival: 1, isAnswer: true },
  { type: 'ask', tags: new Uint8Array(16), sums: new Uint8Array(32) },
  { type: 'ask-snapshot', tag: new Uint8Array(16) },
  { type: 'no-snapshot', tag: new Uint8Array(16) },
  { type: 'retire', tag: new Uint8Array(16), ids: new Uint8Array(64), keep: new Uint8Array(32) },
  { type: 'drop', tags: new Uint8Array(32) },
  { type: 'except', tags: new Uint8Array(16) },
  { type: 'leave', number: 1, tags: new Uint8Array(32) },
  { type: 'kept', number: 1, tags: new Uint8Array(16) },
  { type: 'dropped', tags: new Uint8Array(32) },
  { type: 'undrop', tags: new Uint8Array(32) },
  { type: 'prove', ids: new Uint8Array(32) },
  { type: 'holds', items: new Uint8Array(64) },
]

/** The names and kinds of every field, as the schemas have them. */
function shapeOf(schema: unknown): unknown {
  const node = schema as {
    type?: string
    literal?: unknown
    options?: unknown[]
    entries?: Record<string, unknown>
    item?: unknown
    wrapped?: unknown
    requirement?: unknown
    pipe?: unknown[]
  }
  return {
    type: node.type,
    literal: node.literal,
    requirement: typeof node.requirement === 'number' ? node.requirement : undefined,
    options: node.options?.map(option => (typeof option === 'object' ? shapeOf(option) : option)),
    entries: node.entries && Object.entries(node.entries).map(([name, entry]) => [name, shapeOf(entry)]),
    item: node.item && shapeOf(node.item),
    wrapped: node.wrapped && shapeOf(node.wrapped),
    pipe: node.pipe?.slice(1).map(shapeOf),
  }
}

// A change here is a change of the wire: raise SYNC_VERSION, add a line to the history in hello.ts, then this literal.
const PINNED = { version: 7, sha256: '2f0d68667a21d4eb7f5a216163a23dd49596d95883d31cb90ea307dc87cec72a' }

test('[R2] the sync messages are those of the pinned version', () => {
  const shape = utf8(JSON.stringify(shapeOf(syncMessageSchema)))
  const samples = SAMPLES.map(sample => toHex(encodeSyncMessage(sample))).join()
  expect({ version: SYNC_VERSION, sha256: toHex(portableHasher.sha256(utf8(samples + toHex(portableHasher.sha256(shape))))) }).toEqual(
    PINNED,
  )
})

test('[R2] windows that overlap agree on the older current version', () => {
  expect(negotiateVersion({ min: 1, current: 2 }, { min: 2, current: 3 })).toEqual({ ok: true, value: 2 })
  expect(negotiateVersion({ min: 1, current: 1 }, { min: 2, current: 3 }).ok).toBe(false)
})

test('every message survives the wire', () => {
  for (const sample of SAMPLES) expect(decodeSyncMessage(encodeSyncMessage(sample))).toEqual({ ok: true, value: sample })
})

test('fields of a later version are passed over', () => {
  expect(decodeSyncMessage(encode({ type: 'ready', mood: 'good' })).ok).toBe(true)
})

test('[R26] 10,000 frames of garbage and of the wrong shape are refused, none throws', () => {
  const random = createSeededRandom(26)
  for (let i = 0; i < 5_000; i++) expect(decodeSyncMessage(random.bytes(random.below(200))).ok).toBe(false)
  for (let i = 0; i < 5_000; i++) {
    decodeSyncMessage(encode(misshapen(random)))
  }
})

/** A good message with one field taken away, or replaced by something else. */
function misshapen(random: SeededRandom): unknown {
  const message: Record<string, unknown> = { ...random.pick(SAMPLES) }
  const field = random.pick(Object.keys(message))
  const replacement = random.pick<unknown>([
    undefined,
    -1,
    1.5,
    'text',
    [],
    {},
    true,
    new Uint8Array(random.below(100)),
    [[1]],
    2 ** 53 - 1,
  ])
  if (replacement === undefined) delete message[field]
  else message[field] = replacement
  return message
}
