/**
 * Membership proof, `/segue/group/1`: how a device that a member does not know yet shows that it belongs. One exchange, then the stream
 * closes; the peers' keys are proven by Noise.
 *
 *     receiver -> newcomer   heads   {v: 1, heads: [32...]}                         the log heads the receiver has
 *     newcomer -> receiver   entries {v: 1, entries: [bytes...], last: bool} ...    the path from there to its own add
 *     receiver -> newcomer   answer  {v: 1, admitted: bool}
 *
 * Every frame is at most MAX_PAIRING_FRAME_BYTES, the entries together at most MAX_PROOF_BYTES. The newcomer shows entries only to
 * a device that is active in its own log; the receiver takes them only if with them the peer is active. Anything malformed is
 * answered with `admitted: false`: the link's deadline and the number of proofs are its owner's business.
 */
import * as v from 'valibot'
import { bytesOf, bytesUpTo, decodeCbor, encodeCbor } from '../lib/codec.ts'
import type { ErrorCode } from '../lib/errors.ts'
import { ENTRY_ID_BYTES, hexId, idBytes, type DeviceId, type EntryId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import type { PairingLink } from '../ports/pairing-link.ts'
import { MAX_ENTRY_BYTES, MAX_PAIRING_FRAME_BYTES, MAX_PROOF_BYTES } from '../wire/limits.ts'
import { MAX_PARENTS } from './envelope.ts'
import type { Group } from './group-interface.ts'

interface Waiting {
  readonly signal?: AbortSignal | undefined
}

/** The newcomer's side. Rejects only when the link ends or the signal aborts. */
export async function proveMembership(link: PairingLink, group: Group, waiting: Waiting = {}): Promise<Result<void, ErrorCode>> {
  if (!group.isActive(link.peer)) return failed('NOT_A_MEMBER')
  const added = group.entryThatAdded(link.self)
  if (added === undefined) return failed('NOT_A_MEMBER')
  const theirs = decodeCbor(HEADS, await link.receive(waiting), MAX_PAIRING_FRAME_BYTES)
  if (!theirs.ok) return failed('FRAME_INVALID')
  const path = group.path(
    [added.id],
    theirs.value.heads.map(head => hexId<EntryId>(head)),
  )
  const entries = path.map(entry => entry.bytes)
  if (sizeOf(entries) > MAX_PROOF_BYTES) return failed('FRAME_TOO_LARGE')
  for (const frame of framesOf(entries)) await link.send(frame)
  const answer = decodeCbor(ANSWER, await link.receive(waiting), MAX_PAIRING_FRAME_BYTES)
  if (!answer.ok) return failed('FRAME_INVALID')
  return answer.value.admitted ? ok(undefined) : failed('NOT_A_MEMBER')
}

/** The receiver's side: takes the entries if they make the peer active. Rejects only when the link ends or the signal aborts. */
export async function receiveProof(link: PairingLink, group: Group, waiting: Waiting = {}): Promise<Result<DeviceId, ErrorCode>> {
  await link.send(encodeCbor({ v: 1, heads: group.state.peek().heads.slice(0, MAX_PARENTS).map(idBytes) }))
  const brought = await receiveEntries(link, waiting)
  const proven = brought.ok ? admit(link.peer, group, brought.value) : brought
  await link.send(encodeCbor({ v: 1, admitted: proven.ok }))
  return proven
}

const HEADS = v.strictObject({ v: v.literal(1), heads: v.pipe(v.array(bytesOf(ENTRY_ID_BYTES)), v.maxLength(MAX_PARENTS)) })
const ENTRIES = v.strictObject({
  v: v.literal(1),
  entries: v.pipe(v.array(bytesUpTo(MAX_ENTRY_BYTES)), v.maxLength(10_000)),
  last: v.boolean(),
})
const ANSWER = v.strictObject({ v: v.literal(1), admitted: v.boolean() })

// Leaves room for an entry of full size and the CBOR around it.
const FRAME_FILL_BYTES: number = MAX_PAIRING_FRAME_BYTES - MAX_ENTRY_BYTES - 1_024
// Every honest frame but the last is filled, so seven hold MAX_PROOF_BYTES.
const MAX_FRAMES = 16
const ENTRY_OVERHEAD_BYTES = 5

function* framesOf(entries: readonly Uint8Array[]): Generator<Uint8Array> {
  let batch: Uint8Array[] = []
  let filled = 0
  for (const entry of entries) {
    if (filled > FRAME_FILL_BYTES) {
      yield encodeCbor({ v: 1, entries: batch, last: false })
      batch = []
      filled = 0
    }
    batch.push(entry)
    filled += entry.length + ENTRY_OVERHEAD_BYTES
  }
  yield encodeCbor({ v: 1, entries: batch, last: true })
}

async function receiveEntries(link: PairingLink, waiting: Waiting): Promise<Result<readonly Uint8Array[], ErrorCode>> {
  const entries: Uint8Array[] = []
  let total = 0
  for (let count = 0; count < MAX_FRAMES; count++) {
    const frame = await link.receive(waiting)
    total += frame.length
    // The frames are hardly larger than what they carry: stop before even parsing more.
    if (total > MAX_PROOF_BYTES + MAX_PAIRING_FRAME_BYTES) return failed('FRAME_TOO_LARGE')
    const read = decodeCbor(ENTRIES, frame, MAX_PAIRING_FRAME_BYTES)
    if (!read.ok) return failed(read.error.reason === 'too-large' ? 'FRAME_TOO_LARGE' : 'FRAME_INVALID')
    entries.push(...read.value.entries)
    if (sizeOf(entries) > MAX_PROOF_BYTES) return failed('FRAME_TOO_LARGE')
    if (read.value.last) return ok(entries)
  }
  return failed('FRAME_INVALID')
}

function sizeOf(entries: readonly Uint8Array[]): number {
  return entries.reduce((total, entry) => total + entry.length, 0)
}

function admit(peer: DeviceId, group: Group, entries: readonly Uint8Array[]): Result<DeviceId, ErrorCode> {
  if (!group.isActive(peer)) {
    const device = group.evaluateWith(entries)?.devices.find(each => each.id === peer)
    if (device?.active !== true) return failed('NOT_A_MEMBER')
    group.receive(entries)
  }
  return group.isActive(peer) ? ok(peer) : failed('NOT_A_MEMBER')
}
