/** Things over PART_BYTES: cut up by the sender, put together here, whole or not at all. One at a time per link, so memory is bounded. */
import { concatBytes, equalBytes } from '../lib/bytes.ts'
import { MAX_CHUNK_BYTES, PART_BYTES } from '../wire/limits.ts'
import type { PartOf, SyncMessage } from '../wire/sync-messages.ts'

type Part = Extract<SyncMessage, { type: 'part' }>
export interface Whole {
  readonly of: PartOf
  readonly id: Uint8Array
  readonly bytes: Uint8Array
}

export interface Assembler {
  /** `undefined`: more to come. `malformed`: out of order, or over the limit. */
  take(part: Part): Whole | 'malformed' | undefined
}

export function createAssembler(): Assembler {
  let parts: Part[] = []
  return {
    take(part) {
      const [first] = parts
      const isNext =
        part.index === parts.length &&
        part.index < part.count &&
        (first === undefined || (first.of === part.of && first.count === part.count && equalBytes(first.id, part.id)))
      if (!isNext) return 'malformed'
      parts.push(part)
      if (parts.length < part.count) return undefined
      const bytes = concatBytes(...parts.map(each => each.bytes))
      parts = []
      return bytes.length <= MAX_CHUNK_BYTES ? { of: part.of, id: part.id, bytes } : 'malformed'
    },
  }
}

export function cutUp({ of, id, bytes }: Whole): Part[] {
  const count = Math.max(1, Math.ceil(bytes.length / PART_BYTES))
  return Array.from({ length: count }, (_, index) => ({
    type: 'part',
    of,
    id,
    index,
    count,
    bytes: bytes.slice(index * PART_BYTES, (index + 1) * PART_BYTES),
  }))
}
