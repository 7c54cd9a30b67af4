import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRecoveryPhrase, recoveryKeysOf, sha256, wrapFor, type RecoveryKeys } from '../crypto/index.ts'
import { BLOCK_BYTES, SEALED_BLOCK_BYTES, sealBlock } from '../crypto/stream.ts'
import { assert } from '../lib/assert.ts'
import { concatBytes, toHex, utf8 } from '../lib/bytes.ts'
import { encodeCbor } from '../lib/codec.ts'
import { SegueError, isSegueError } from '../lib/errors.ts'
import { deviceIdOf, hexId, type GroupId } from '../lib/ids.ts'
import type { Random } from '../ports/random.ts'
import { createChunkCast } from '../testing/plain-chunks.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { BACKUP_MAGIC, BACKUP_VERSION, PREFIX_BYTES, RECORD_KINDS } from './format.ts'
import { readBackup } from './read-backup.ts'
import { createRecords, type BackupItem } from './records.ts'
import { blocksKey, writeBackup, type BackupContent } from './write-backup.ts'

/** Stored bytes outlive this code: this changes only together with BACKUP_VERSION. */
const PINNED = 'ea2aa0102c129b76c9e0c0759101d439bed04f39eb99837dbca30d07f871fbc9'

const random = createSeededRandom(71)
const words = (): RecoveryKeys => {
  const keys = recoveryKeysOf(createRecoveryPhrase(random))
  assert(keys.ok, 'a made phrase is a phrase')
  return keys.value
}
const ours = words()
const phraseOf = (keys: RecoveryKeys): { id: ReturnType<typeof deviceIdOf>; sealingKey: Uint8Array } => ({
  id: deviceIdOf(keys.signing.publicKey),
  sealingKey: keys.sealing.publicKey,
})
const cast = createChunkCast()
const SIZES = [1, 70, 20_000, 200_000, 3]
const chunks = SIZES.map((bytes, i) => cast.commit('notes', `${i}`, { bytes }))
const content = {
  group: hexId<GroupId>(random.bytes(32)),
  secret: random.bytes(32),
  entries: [utf8('genesis'), utf8('add')],
  time: 1_700_000_000_000,
  device: 'laptop',
}

async function* eachOf<T>(values: Iterable<T>): AsyncGenerator<T, void> {
  yield* values
}
async function fileOf(of: Partial<BackupContent> = {}, keys = ours, source: Random = random): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  const all = { ...content, chunks: eachOf(chunks.map(chunk => chunk.bytes)), ...of }
  for await (const piece of writeBackup(all, phraseOf(keys), source)) pieces.push(piece.slice())
  return concatBytes(...pieces)
}
async function read(file: Uint8Array, keys = ours, size = 10_000): Promise<readonly BackupItem[]> {
  const items: BackupItem[] = []
  const pieces = Array.from({ length: Math.ceil(file.length / size) }, (_, i) => file.subarray(i * size, (i + 1) * size))
  for await (const item of readBackup(eachOf(pieces), keys)) items.push(item)
  return items
}
async function codeOf(file: Uint8Array, keys = ours): Promise<string> {
  try {
    await read(file, keys)
    return 'read'
  } catch (error) {
    if (isSegueError(error)) return error.code
    throw error
  }
}
const file = await fileOf()
const startOfBlocks = PREFIX_BYTES + (file[13] as number) * 256 + (file[14] as number)
const blocks = Array.from({ length: Math.ceil((file.length - startOfBlocks) / SEALED_BLOCK_BYTES) }, (_, i) =>
  file.subarray(startOfBlocks + i * SEALED_BLOCK_BYTES, startOfBlocks + (i + 1) * SEALED_BLOCK_BYTES),
)

test('[E1] what was written is read back, in pieces of any size', async () => {
  for (const size of [997, 65_536, 10_000_000]) {
    const [about, ...rest] = await read(file, ours, size)
    expect(about).toEqual({ kind: 'about', group: content.group, secret: content.secret, time: content.time, device: 'laptop' })
    expect(rest.flatMap(item => (item.kind === 'entry' ? [item.bytes] : []))).toEqual(content.entries)
    const found = rest.flatMap(item => (item.kind === 'chunk' ? [item.chunk] : []))
    expect(found.map(({ bytes, ...header }) => ({ ...header, bytes: toHex(bytes) }))).toEqual(
      chunks.map(({ bytes, ...header }) => ({ ...header, bytes: toHex(bytes) })),
    )
  }
})

test('[E1] a group without a document, and one that ends exactly with a block, come back', async () => {
  expect((await read(await fileOf({ chunks: eachOf([]) }))).map(item => item.kind)).toEqual(['about', 'entry', 'entry'])
  const empty = await fileOf({ chunks: eachOf([]), entries: [utf8('genesis'), new Uint8Array()] })
  const room = BLOCK_BYTES - (empty.length - startOfBlocks - 16)
  const full = await fileOf({ chunks: eachOf([]), entries: [utf8('genesis'), new Uint8Array(room)] })
  expect(full.length - startOfBlocks).toBe(SEALED_BLOCK_BYTES)
  expect((await read(full)).length).toBe(3)
})

test('[E2] the words of another phrase open nothing', async () => {
  expect(await codeOf(file, words())).toBe('BACKUP_OTHER_PHRASE')
  const { signing } = ours
  expect(await codeOf(file, { signing, sealing: words().sealing })).toBe('BACKUP_DAMAGED')
})

test('[E3] a bit changed anywhere is noticed', async () => {
  for (let at = 0; at < file.length; at += at < startOfBlocks + 40 ? 1 : 9_973) {
    const changed = file.with(at, (file[at] as number) ^ (1 << (at % 8)))
    expect(await codeOf(changed)).toMatch(/^BACKUP_/)
  }
})

test('[E4] a file cut off anywhere is refused, also between two blocks and before the last', async () => {
  const ends = [0, 5, 13, 15, startOfBlocks - 1, startOfBlocks, startOfBlocks + 1, file.length - 1]
  for (let end = startOfBlocks; end < file.length; end += SEALED_BLOCK_BYTES) ends.push(end)
  for (const end of ends) expect(await codeOf(file.subarray(0, end))).toMatch(/^BACKUP_(INVALID|DAMAGED)$/)
})

test('[E4] bytes after the end are refused', async () => {
  expect(await codeOf(concatBytes(file, new Uint8Array(1)))).toBe('BACKUP_DAMAGED')
  expect(await codeOf(concatBytes(file, file))).toBe('BACKUP_DAMAGED')
})

test('[E4] blocks left out, repeated, moved or of another backup are refused', async () => {
  const start = file.subarray(0, startOfBlocks)
  const [first, second, ...rest] = blocks as [Uint8Array, Uint8Array, ...Uint8Array[]]
  const others = (await fileOf()).subarray(startOfBlocks, startOfBlocks + SEALED_BLOCK_BYTES)
  for (const wrong of [
    [second, ...rest],
    [first, ...rest],
    [first, first, second, ...rest],
    [second, first, ...rest],
    [others, second, ...rest],
    blocks.slice(0, -1),
  ]) {
    expect(await codeOf(concatBytes(start, ...wrong))).toBe('BACKUP_DAMAGED')
  }
  expect(await codeOf(concatBytes(start, ...blocks))).toBe('read')
})

test('[E5] something else is no backup, and a later version is told', async () => {
  for (const other of [new Uint8Array(), utf8('segue-backup'), utf8('PK zip'), new Uint8Array(1_000)]) {
    expect(await codeOf(other)).toBe('BACKUP_INVALID')
  }
  expect(await codeOf(file.with(BACKUP_MAGIC.length, BACKUP_VERSION + 1))).toBe('BACKUP_NEWER')
})

test('[E6] a reader takes a block after the other, and a writer a chunk after the other', async () => {
  let asked = 0
  const large = cast.commit('notes', 'large', { bytes: 100_000 }).bytes
  const endless = (async function* (): AsyncGenerator<Uint8Array, void> {
    for (; ; asked++) yield large
  })()
  const writer = writeBackup({ ...content, chunks: endless }, phraseOf(ours), random)
  const given: number[] = []
  const pieces = (async function* (): AsyncGenerator<Uint8Array, void> {
    for await (const piece of writer) {
      given.push(piece.length)
      yield piece.slice()
    }
  })()
  let found = 0
  for await (const item of readBackup(pieces, ours)) {
    if (item.kind === 'chunk' && ++found === 50) break
  }
  expect(Math.max(...given)).toBeLessThanOrEqual(SEALED_BLOCK_BYTES)
  expect(asked - found).toBeLessThanOrEqual(3)
})

/** Whoever knows the phrase's public key can seal anything. */
function forged(opened: Uint8Array): Uint8Array {
  const fileKey = random.bytes(32)
  const header = encodeCbor({ id: random.bytes(16), phrase: ours.signing.publicKey, box: wrapFor(ours.sealing.publicKey, fileKey, random) })
  const start = concatBytes(BACKUP_MAGIC, new Uint8Array([BACKUP_VERSION, header.length >> 8, header.length & 255]), header)
  const key = blocksKey(fileKey, start)
  const sealed: Uint8Array[] = []
  for (let number = 0, from = 0; from <= opened.length; number++, from += BLOCK_BYTES) {
    const isLast = from + BLOCK_BYTES >= opened.length
    sealed.push(sealBlock(key, { number, isLast }, opened.subarray(from, from + BLOCK_BYTES)))
    if (isLast) break
  }
  return concatBytes(start, ...sealed)
}
function record(kind: number, body: Uint8Array, length = body.length): Uint8Array {
  const head = new Uint8Array(5)
  head[0] = kind
  new DataView(head.buffer).setUint32(1, length)
  return concatBytes(head, body)
}
const about = record(RECORD_KINDS.about, encodeCbor({ v: 1, group: random.bytes(32), secret: random.bytes(32), time: 1, device: 'laptop' }))
const entry = record(RECORD_KINDS.entry, utf8('genesis'))
const chunk = record(RECORD_KINDS.chunk, (chunks[0] as { bytes: Uint8Array }).bytes)
const end = (entries: number, chunkCount: number): Uint8Array => record(RECORD_KINDS.end, encodeCbor({ entries, chunks: chunkCount }))

test('[E8] records in another order, not as many as the end says, or after it, are refused', async () => {
  expect(await codeOf(forged(concatBytes(about, entry, chunk, end(1, 1))))).toBe('read')
  for (const wrong of [
    [],
    [about],
    [about, entry, chunk],
    [entry, chunk, end(1, 1)],
    [about, chunk, entry, end(1, 1)],
    [about, about, entry, end(1, 0)],
    [about, entry, chunk, end(1, 2)],
    [about, entry, chunk, end(2, 1)],
    [about, entry, chunk, end(1, 1), chunk],
    [about, entry, chunk, end(1, 1), new Uint8Array(3)],
  ]) {
    expect(await codeOf(forged(concatBytes(...wrong)))).toBe('BACKUP_DAMAGED')
  }
})

test('[E7] a record that claims to be larger than its kind may be is refused before room is made for it', async () => {
  for (const kind of Object.values(RECORD_KINDS)) {
    const claimed = record(kind, new Uint8Array(), 0xffffffff)
    expect(await codeOf(forged(concatBytes(about, entry, claimed)))).toBe('BACKUP_DAMAGED')
  }
  expect(await codeOf(forged(record(9, new Uint8Array())))).toBe('BACKUP_DAMAGED')
})

test('[E7] 10,000 of garbage inside the seal, and outside: nothing else is thrown', async () => {
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.anything({ maxDepth: 2, values: [fc.integer(), fc.string()] }).map(value => {
      try {
        return encodeCbor(value)
      } catch {
        return new Uint8Array()
      }
    }),
  )
  const inside = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), body), { maxLength: 3 })
  fc.assert(
    fc.property(inside, fc.integer({ min: 1, max: 40 }), (records, cut) => {
      const opened = concatBytes(...records.map(([kind, bytes]) => record(kind, bytes)))
      const reader = createRecords()
      const readAll = (): void => {
        for (let from = 0; from < opened.length; from += cut) for (const _item of reader.add(opened.subarray(from, from + cut)));
        reader.assertWhole()
      }
      expect(readAll).toThrow(SegueError)
    }),
    { numRuns: 10_000 },
  )
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async bytes => {
      expect(await codeOf(concatBytes(file.subarray(0, 13), bytes))).toMatch(/^BACKUP_/)
      expect(await codeOf(bytes)).toBe('BACKUP_INVALID')
    }),
    { numRuns: 1_000 },
  )
})

test('[E9] nothing of the group is in the file in the clear', () => {
  const text = Buffer.from(file)
  for (const hidden of [Buffer.from(content.group, 'hex'), content.secret, utf8('genesis'), utf8('laptop')]) {
    expect(text.includes(Buffer.from(hidden))).toBe(false)
  }
  for (const { bytes } of chunks) expect(text.includes(Buffer.from(bytes.subarray(0, 32)))).toBe(false)
})

test('backups, version 1', async () => {
  const counting = { bytes: (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i) }
  const keys = recoveryKeysOf('abandon '.repeat(23) + 'art')
  assert(keys.ok, 'the phrase of zeros')
  const pinned = await fileOf(
    { ...content, group: 'ab'.repeat(32) as GroupId, secret: new Uint8Array(32), chunks: eachOf([]) },
    keys.value,
    counting,
  )
  expect(toHex(sha256(pinned))).toBe(PINNED)
})
