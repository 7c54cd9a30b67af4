/**
 * What is stored and sent: sealed bytes plus the clear header in front of them. The header is repeated inside the seal and
 * compared on opening, so a replica without keys can sort by it and a device never has to believe it.
 */
import type { ChunkId, DocTag, EpochId } from '../lib/ids.ts'

/** commit: one Automerge change. fragment: a bundle of many. register: replaced by a greater one. log: a group entry. */
export type ChunkClass = 'commit' | 'fragment' | 'register' | 'log'

export interface ChunkHeader {
  readonly class: ChunkClass
  readonly epoch: EpochId
  readonly docTag: DocTag
  readonly id: ChunkId
  /** Registers only, else 0. The greater (sequence, SHA-256 of the sealed bytes) replaces the lesser. */
  readonly sequence: number
}

export interface SealedChunk extends ChunkHeader {
  /** The whole sealed form, header included; this is what travels and what is hashed. */
  readonly bytes: Uint8Array
}
