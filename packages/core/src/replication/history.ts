/**
 * Who this replica is and how far it has got with others. A cursor says "everything of yours up to this arrival number, in that
 * incarnation"; it counts only if the other's own history shows that the incarnation reached it, so a restored backup or a
 * cloned disk is never believed to have sent what it has not. A cursor's record is named by a hash with this replica's id: whom it
 * talks to is not written down in the clear, though who already suspects a device can still try it out.
 */
import { concatBytes, toHex } from '../lib/bytes.ts'
import { labelledHash } from '../crypto/hash.ts'
import { hexId, idBytes, RANDOM_ID_BYTES, type DeviceId, type Incarnation } from '../lib/ids.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Random } from '../ports/random.ts'

export interface Cursor {
  readonly incarnation: Incarnation
  readonly arrival: number
}

export interface ReplicaHistory {
  readonly id: string
  readonly incarnation: Incarnation
  /** Did this store, in that incarnation, reach that arrival number? */
  hasReached(cursor: Cursor): boolean
  /** A peer has more of this store, or of another under the same key, than it ever had: it was put back to an earlier state, or is a copy. */
  isBehind(cursor: Cursor): boolean
  cursorFor(peer: DeviceId): Cursor | undefined
  setCursor(peer: DeviceId, cursor: Cursor): void
  /** Up to which arrival here the peer, without keys, has shown that it holds what is held here; 0 at first. */
  shownBy(peer: DeviceId): number
  setShownBy(peer: DeviceId, arrival: number): void
  /** What was left out is wanted again: nobody was followed to anywhere. */
  forgetCursors(): void
}

/** Begins a new incarnation, durable when it resolves (or, if the store cannot be written now, with its first batch). */
export async function openHistory(
  store: ChunkStore,
  random: Random,
  setRecord: (key: string, value: Uint8Array | undefined) => void,
  hasher?: Hasher,
): Promise<ReplicaHistory> {
  const known = await store.getRecord(ID_KEY)
  const id = toHex(known ?? random.bytes(RANDOM_ID_BYTES))
  const incarnation = hexId<Incarnation>(random.bytes(RANDOM_ID_BYTES))
  const starts: Cursor[] = []
  for await (const [key, value] of store.listRecords(INCARNATION_PREFIX)) {
    starts.push({ incarnation: key.slice(INCARNATION_PREFIX.length) as Incarnation, arrival: readNumber(value) })
  }
  starts.sort((a, b) => a.arrival - b.arrival)
  /** By the name of the record. */
  const cursors = new Map<string, Cursor>()
  const hashOf = (peer: DeviceId): string => toHex(labelledHash('cursor-name', [id, peer], hasher))
  const nameOf = (peer: DeviceId): string => CURSOR_PREFIX + hashOf(peer)
  for await (const [key, value] of store.listRecords(CURSOR_PREFIX)) {
    const incarnationBytes = value.subarray(0, RANDOM_ID_BYTES)
    cursors.set(key, {
      incarnation: hexId(incarnationBytes),
      arrival: readNumber(value.subarray(RANDOM_ID_BYTES)),
    })
  }
  const shown = new Map<string, number>()
  for await (const [key, value] of store.listRecords(SHOWN_PREFIX)) shown.set(key, readNumber(value))
  if (known === undefined) setRecord(ID_KEY, Uint8Array.from(idBytes(id as Incarnation)))
  setRecord(INCARNATION_PREFIX + incarnation, numberBytes(store.lastArrival()))
  while (starts.length > MAX_INCARNATIONS) setRecord(INCARNATION_PREFIX + (starts.shift() as Cursor).incarnation, undefined)
  starts.push({ incarnation, arrival: store.lastArrival() })

  const endOf = (wanted: Incarnation): number | undefined => {
    const index = starts.findIndex(start => start.incarnation === wanted)
    return index < 0 ? undefined : (starts[index + 1]?.arrival ?? store.lastArrival())
  }
  const begunAt = store.lastArrival()
  return {
    id,
    incarnation,
    hasReached: cursor => cursor.arrival <= (endOf(cursor.incarnation) ?? -1),
    // One that is too old to be known ended before this one began.
    isBehind: cursor => cursor.arrival > (endOf(cursor.incarnation) ?? begunAt),
    cursorFor: peer => cursors.get(nameOf(peer)),
    setCursor(peer, cursor) {
      const name = nameOf(peer)
      const present = cursors.get(name)
      if (present?.incarnation === cursor.incarnation && present.arrival === cursor.arrival) return
      cursors.set(name, cursor)
      setRecord(name, concatBytes(idBytes(cursor.incarnation), numberBytes(cursor.arrival)))
    },
    shownBy: peer => shown.get(SHOWN_PREFIX + hashOf(peer)) ?? 0,
    setShownBy(peer, arrival) {
      const name = SHOWN_PREFIX + hashOf(peer)
      if (shown.get(name) === arrival) return
      shown.set(name, arrival)
      setRecord(name, numberBytes(arrival))
    },
    forgetCursors() {
      for (const name of cursors.keys()) setRecord(name, undefined)
      cursors.clear()
    },
  }
}

const ID_KEY = 'replica/id'
const INCARNATION_PREFIX = 'replica/incarnation/'
const CURSOR_PREFIX = 'replica/cursor/'
const SHOWN_PREFIX = 'replica/shown/'
const MAX_INCARNATIONS = 64

function numberBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value))
  return bytes
}

function readNumber(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0))
}
