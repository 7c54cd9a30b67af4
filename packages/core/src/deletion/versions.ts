/**
 * What a device knew of a document when it deleted it: the latest change of every actor. A change by an actor comes after all earlier ones
 * of that actor, so any device can tell which of the changes it holds the deleting one had, also when it lacks the newest itself.
 *
 *     packed = (first 8 bytes of the actor id, sequence u32 BE) each, sorted
 */
import * as A from '@automerge/automerge'
import { fromHex, toHex } from '../lib/bytes.ts'

/** First 16 hex digits of the actor -> its greatest sequence number. */
export type Knowledge = ReadonlyMap<string, number>

export const KNOWLEDGE_RECORD_BYTES = 12

export function knowledgeOf(doc: A.Doc<unknown>): Knowledge {
  const known = new Map<string, number>()
  for (const { actor, seq } of A.getChangesMetaSince(doc, [])) {
    const name = nameOf(actor)
    known.set(name, Math.max(known.get(name) ?? 0, seq))
  }
  return known
}

/** Changes in the document that whoever knew `known` did not have. */
export function editsBeyond(doc: A.Doc<unknown>, known: Knowledge): number {
  return A.getChangesMetaSince(doc, []).filter(({ actor, seq }) => seq > (known.get(nameOf(actor)) ?? 0)).length
}

export function packKnowledge(known: Knowledge): Uint8Array {
  const packed = new Uint8Array(known.size * KNOWLEDGE_RECORD_BYTES)
  const view = new DataView(packed.buffer)
  for (const [i, [name, sequence]] of [...known].sort(([a], [b]) => (a < b ? -1 : 1)).entries()) {
    packed.set(fromHex(name), i * KNOWLEDGE_RECORD_BYTES)
    view.setUint32(i * KNOWLEDGE_RECORD_BYTES + NAME_BYTES, sequence)
  }
  return packed
}

/** `packed` is whole records. */
export function unpackKnowledge(packed: Uint8Array): Knowledge {
  const known = new Map<string, number>()
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length)
  for (let at = 0; at + KNOWLEDGE_RECORD_BYTES <= packed.length; at += KNOWLEDGE_RECORD_BYTES) {
    known.set(toHex(packed.subarray(at, at + NAME_BYTES)), view.getUint32(at + NAME_BYTES))
  }
  return known
}

const NAME_BYTES = 8

function nameOf(actor: string): string {
  return actor.slice(0, 2 * NAME_BYTES).padEnd(2 * NAME_BYTES, '0')
}
