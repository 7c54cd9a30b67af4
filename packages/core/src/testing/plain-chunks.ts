/**
 * Chunks without keys, for tests of what never opens them: a real header, then plain content. A commit's content is any bytes; a
 * fragment's lists its level and the ids of its commits. The inspector believes exactly what is well-formed.
 */
import { concatBytes, equalBytes, toHex, utf8 } from '../lib/bytes.ts'
import { CHUNK_ID_BYTES, GROUP_DOC_TAG, idBytes, LOG_EPOCH, type ChunkId, type DocTag, type EpochId } from '../lib/ids.ts'
import { portableHasher } from '../crypto/hash.ts'
import { CHUNK_HEADER_BYTES, parseHeader } from '../crypto/seal.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Inspector, Verdict } from '../ports/inspector.ts'
import type { ChunkClass, SealedChunk } from '../ports/sealed-chunk.ts'

export interface PlainFragment {
  readonly level: number
  readonly covers: readonly ChunkId[]
}

export interface ChunkCast {
  docTag(name: string): DocTag
  commit(document: string, content: string, options?: { readonly bytes?: number; readonly epoch?: EpochId }): SealedChunk
  fragment(document: string, contents: PlainFragment): SealedChunk
  register(document: string, name: string, sequence: number, content: string, options?: { readonly epoch?: EpochId }): SealedChunk
  log(content: string): SealedChunk
  /** The same id, other bytes: not what its id says. */
  spoiled(chunk: SealedChunk): SealedChunk
  /** Checks like a device that holds the keys of every epoch but `missing`. */
  inspector(store: () => ChunkStore, missing?: ReadonlySet<EpochId>): Inspector
}

export function createChunkCast(hasher: Hasher = portableHasher): ChunkCast {
  const docTag = (name: string): DocTag => toHex(hasher.sha256(utf8(name)).slice(0, 16)) as DocTag
  const make = (
    kind: ChunkClass,
    tag: DocTag,
    key: string,
    content: Uint8Array,
    sequence = 0,
    epoch: EpochId = FIRST_EPOCH,
  ): SealedChunk => {
    const id = toHex(hasher.sha256(utf8(`${kind}/${tag}/${key}`))) as ChunkId
    const number = new Uint8Array(8)
    new DataView(number.buffer).setBigUint64(0, BigInt(sequence))
    const header = [Uint8Array.of(1, CLASS_CODES[kind]), idBytes(epoch), idBytes(tag), idBytes(id), number]
    const bytes = concatBytes(...header, hasher.sha256(concatBytes(idBytes(id), content)), FILLER, content)
    const parsed = parseHeader(bytes)
    if (!parsed.ok) throw new Error(parsed.error)
    return { ...parsed.value, bytes }
  }
  const read = (chunk: SealedChunk): Verdict => {
    const content = chunk.bytes.subarray(CHUNK_HEADER_BYTES + 32 + FILLER.length)
    const seal = chunk.bytes.subarray(CHUNK_HEADER_BYTES, CHUNK_HEADER_BYTES + 32)
    if (!equalBytes(seal, hasher.sha256(concatBytes(idBytes(chunk.id), content)))) return { kind: 'bad', reason: 'not what its id says' }
    if (chunk.class !== 'fragment') return { kind: 'good', level: 0, covers: [] }
    const covers: ChunkId[] = []
    for (let at = 1; at < content.length; at += CHUNK_ID_BYTES) covers.push(toHex(content.subarray(at, at + CHUNK_ID_BYTES)) as ChunkId)
    return { kind: 'good', level: content[0] ?? 0, covers }
  }
  return {
    docTag,
    commit: (document, content, { bytes = 0, epoch } = {}) =>
      make('commit', docTag(document), content, utf8(content.padEnd(bytes, '.')), 0, epoch),
    fragment: (document, { level, covers }) => {
      const sorted = [...covers].sort()
      return make('fragment', docTag(document), `${level}/${sorted.join()}`, concatBytes(Uint8Array.of(level), ...sorted.map(idBytes)))
    },
    register: (document, name, sequence, content, { epoch } = {}) =>
      make('register', docTag(document), name, utf8(content), sequence, epoch),
    log: content => make('log', GROUP_DOC_TAG, content, utf8(content), 0, LOG_EPOCH),
    spoiled(chunk) {
      const bytes = chunk.bytes.slice()
      bytes[CHUNK_HEADER_BYTES] = (bytes[CHUNK_HEADER_BYTES] as number) ^ 1
      return { ...chunk, bytes }
    },
    inspector: (store, missing = new Set()) => ({
      inspect: async chunk => (missing.has(chunk.epoch) ? { kind: 'unreadable' } : read(chunk)),
      async covers(_docTag, fragments) {
        const contents = new Map<ChunkId, PlainFragment>()
        for (const chunk of await store().getMany(fragments)) {
          const verdict = read(chunk)
          if (verdict.kind === 'good') contents.set(chunk.id, verdict)
        }
        return contents
      },
    }),
  }
}

const FIRST_EPOCH = '11'.repeat(16) as EpochId

/** A sealed chunk is never shorter than its nonce, tag and padding make it. */
const FILLER = new Uint8Array(128)

/** As the sealed layout numbers them. */
const CLASS_CODES: Readonly<Record<ChunkClass, number>> = { commit: 1, fragment: 2, register: 3, log: 4 }
