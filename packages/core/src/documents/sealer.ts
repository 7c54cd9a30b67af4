/** Sealing and opening chunks of documents with the keyring's present keys. */
import { chunkIdOf, docTagOf, openChunk, sealChunk, type Keyring, type OpenedChunk } from '../crypto/index.ts'
import type { ChunkId, DocTag } from '../lib/ids.ts'
import type { Result } from '../lib/result.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Random } from '../ports/random.ts'
import type { ChunkClass, SealedChunk } from '../ports/sealed-chunk.ts'

export interface Sealer {
  docTagOf(documentId: Uint8Array): DocTag
  chunkIdOf(chunkClass: ChunkClass, documentId: Uint8Array, contentKey: Uint8Array): ChunkId
  /** Under the current epoch. Throws RangeError for content beyond the size of a chunk. */
  seal(content: ContentToSeal): SealedChunk
  /** Undefined while the key of its epoch is not held. */
  open(chunk: SealedChunk): Result<OpenedChunk, string> | undefined
}

export interface ContentToSeal {
  readonly class: ChunkClass
  readonly documentId: Uint8Array
  readonly contentKey: Uint8Array
  readonly content: Uint8Array
  /** Registers only. */
  readonly sequence?: number
}

export function createSealer(components: {
  readonly keyring: Keyring
  readonly random: Random
  readonly hasher?: Hasher | undefined
}): Sealer {
  const { keyring, random, hasher } = components
  return {
    docTagOf: documentId => docTagOf(keyring.tagKey, documentId, hasher),
    chunkIdOf: (chunkClass, documentId, contentKey) => chunkIdOf(keyring.idKey, chunkClass, documentId, contentKey, hasher),
    seal({ sequence = 0, ...content }) {
      const { epoch, secret } = keyring.current()
      return sealChunk({
        ...content,
        sequence,
        keys: keyring,
        epoch,
        epochSecret: secret,
        random,
        ...(hasher === undefined ? {} : { hasher }),
      })
    },
    open(chunk) {
      const secret = keyring.secretOf(chunk.epoch)
      if (secret === undefined) return undefined
      const before = openedLately.get(chunk)
      if (before?.secret === secret) return before.opened
      const opened = openChunk(chunk, secret)
      if (chunk.bytes.length <= MAX_KEPT_BYTES) openedLately.set(chunk, { secret, opened })
      return opened
    },
  }
}

/** What arrives is opened to be checked and again, a moment later, to be shown. Kept as long as the chunk itself is in memory. */
const openedLately = new WeakMap<SealedChunk, { readonly secret: Uint8Array; readonly opened: Result<OpenedChunk, string> }>()
/** Of larger ones, two copies in memory would cost more than opening them twice. */
const MAX_KEPT_BYTES = 4_096
