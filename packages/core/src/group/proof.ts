/**
 * Membership proof, `/segue/group/1` (the messages are in wire/group-messages.ts): how a device that a member does not know yet shows
 * that it belongs, and how a removed one hears of its removal.
 *
 * The newcomer shows entries only to a device that is active in its own log; the receiver takes them only if with them the peer is
 * active. Anything malformed is answered with `admitted: false`: the link's deadline and the number of proofs are its owner's business.
 */
import type { ErrorCode } from '../lib/errors.ts'
import { hexId, idBytes, type DeviceId, type EntryId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import type { PairingLink } from '../ports/pairing-link.ts'
import {
  MAX_PROOF_HEADS,
  decodeGroupMessage,
  encodeGroupMessage,
  proofAnswer,
  proofEntries,
  proofGreeting,
} from '../wire/group-messages.ts'
import { MAX_ENTRY_BYTES, MAX_PAIRING_FRAME_BYTES, MAX_PROOF_BYTES } from '../wire/limits.ts'
import { decodeEntry, type SignedEntry } from './entry.ts'
import { readErasure, type Erasure } from './erasure.ts'
import type { Group } from './group-interface.ts'

interface Waiting {
  readonly signal?: AbortSignal | undefined
}

export interface Proving extends Waiting {
  /**
   * The peer showed the entry by which this device was removed; it is signed by somebody who could. Erases if it is to, and answers
   * with `signErasure` of what it did, or with nothing. DEVICE_REMOVED is the outcome either way.
   */
  readonly onRemoved?: ((removal: SignedEntry) => Promise<Uint8Array | undefined>) | undefined
}

export interface ReceivingProof extends Waiting {
  /** The removed peer signed that it heard; `frame` is what it signed. */
  readonly onErasure?: ((erasure: Erasure, frame: Uint8Array) => void) | undefined
}

/** The newcomer's side. Rejects only when the link ends or the signal aborts. */
export async function proveMembership(
  link: PairingLink,
  group: Group,
  { onRemoved, ...waiting }: Proving = {},
): Promise<Result<void, ErrorCode>> {
  if (!group.isActive(link.peer)) return failed('NOT_A_MEMBER')
  const added = group.entryThatAdded(link.self)
  if (added === undefined) return failed('NOT_A_MEMBER')
  const theirs = decodeGroupMessage(proofGreeting, await link.receive(waiting))
  if (!theirs.ok) return failed('FRAME_INVALID')
  if ('removed' in theirs.value) {
    const { removed } = theirs.value
    const removal = ownRemoval(link.self, group, removed)
    if (removal !== undefined) return acknowledge(link, group, removal, onRemoved)
    const path = staysBeside(link.self, group, removed)
    return path === undefined ? failed('NOT_A_MEMBER') : bring(link, path, waiting)
  }
  // To one that belongs and has not heard that this device is out, and may be the one to stay by what this device heard.
  const ends = group.removalOf(link.self) === undefined ? [added.id] : group.state.peek().heads
  const path = group.path(
    ends,
    theirs.value.heads.map(head => hexId<EntryId>(head)),
  )
  return bring(link, path, waiting)
}

/**
 * A courteous call on a device that was removed, by this device's log. Where each holds the other for removed nobody dials anybody, and no
 * third device may be there to settle it: so each shows the other the entry that removed it, and nothing else. DEVICE_REMOVED: it is this
 * device that is out, by what the peer showed. NOT_A_MEMBER: nothing is settled by it; to the peer this device may belong, then it comes by
 * itself. Rejects only when the link ends or the signal aborts.
 */
export async function callOnRemoved(
  link: PairingLink,
  group: Group,
  { onRemoved, ...waiting }: Proving = {},
): Promise<Result<void, ErrorCode>> {
  const why = group.removalOf(link.peer)
  const shown = why === undefined ? undefined : group.entry(why.entry)
  if (shown === undefined || !group.isActive(link.self)) return failed('NOT_A_MEMBER')
  const theirs = decodeGroupMessage(proofGreeting, await link.receive(waiting))
  if (!theirs.ok) return failed('FRAME_INVALID')
  if (!('removed' in theirs.value)) return failed('NOT_A_MEMBER')
  const { removed } = theirs.value
  const removal = ownRemoval(link.self, group, removed)
  if (removal !== undefined) return acknowledge(link, group, removal, onRemoved)
  if (staysBeside(link.self, group, removed) === undefined) return failed('NOT_A_MEMBER')
  const known = decodeEntry(removed)
  return bring(link, group.path([shown.id], known.ok ? known.value.parents : []), waiting)
}

/**
 * The receiver's side: takes the entries if they make the peer active. DEVICE_REMOVED for a peer that was removed: it gets the entry
 * that removed it, and nothing else, unless it brings what shows that the removal does not prevail. Rejects only when the link ends or
 * the signal aborts.
 */
export async function receiveProof(
  link: PairingLink,
  group: Group,
  { onErasure, ...waiting }: ReceivingProof = {},
): Promise<Result<DeviceId, ErrorCode>> {
  const removal = group.removalOf(link.peer)
  const removed = removal === undefined ? undefined : group.entry(removal.entry)
  if (removed !== undefined) {
    await link.send(encodeGroupMessage({ v: 1, removed: removed.bytes }))
    const next = (): Promise<Uint8Array | undefined> => link.receive(waiting).catch(() => undefined) // most do not answer
    let answer = await next()
    const erasure = answer === undefined ? undefined : readErasure(answer)
    const isAboutThis = erasure?.device === link.peer && erasure.group === group.id && erasure.removal === removed.id
    if (answer !== undefined && erasure !== undefined && isAboutThis) onErasure?.(erasure, answer)
    if (erasure !== undefined) answer = await next()
    if (answer !== undefined && (await overrules(link, group, answer, waiting))) {
      await link.send(encodeGroupMessage({ v: 1, admitted: true }))
      return ok(link.peer)
    }
    return failed('DEVICE_REMOVED')
  }
  await link.send(encodeGroupMessage({ v: 1, heads: group.state.peek().heads.slice(0, MAX_PROOF_HEADS).map(idBytes) }))
  const brought = await receiveEntries(link, waiting)
  const proven = brought.ok ? admit(link.peer, group, brought.value) : brought
  await link.send(encodeGroupMessage({ v: 1, admitted: proven.ok }))
  return proven
}

async function bring(link: PairingLink, path: readonly SignedEntry[], waiting: Waiting): Promise<Result<void, ErrorCode>> {
  const entries = path.map(entry => entry.bytes)
  if (sizeOf(entries) > MAX_PROOF_BYTES) return failed('FRAME_TOO_LARGE')
  for (const frame of framesOf(entries)) await link.send(frame)
  const answer = decodeGroupMessage(proofAnswer, await link.receive(waiting))
  if (!answer.ok) return failed('FRAME_INVALID')
  return answer.value.admitted ? ok(undefined) : failed('NOT_A_MEMBER')
}

/** Whoever it was that removed this device, what others removed beside it may have to reach those who stay by way of this device alone. */
async function acknowledge(
  link: PairingLink,
  group: Group,
  removal: SignedEntry,
  onRemoved: Proving['onRemoved'],
): Promise<Result<void, ErrorCode>> {
  const answer = await onRemoved?.(removal)
  if (answer !== undefined) await link.send(answer)
  const beside = group.path(group.state.peek().heads, [...removal.parents, removal.id])
  const isSaid = beside.some(({ content }) => content.kind === 'remove')
  const entries = isSaid ? beside.map(({ bytes }) => bytes) : []
  if (entries.length > 0 && sizeOf(entries) <= MAX_PROOF_BYTES) for (const frame of framesOf(entries)) await link.send(frame)
  return failed('DEVICE_REMOVED')
}

/**
 * What the log has beside the entry, if whoever wrote it is out, or ranks lower than who removed that one: by its own log this device stays.
 * The receiver has not heard, and as everybody refuses the removed of its own world nobody else may be able to tell it.
 */
function staysBeside(self: DeviceId, group: Group, bytes: Uint8Array): readonly SignedEntry[] | undefined {
  const removal = decodeEntry(bytes)
  if (!removal.ok || !group.isSigned(removal.value)) return undefined
  const { author, content, parents } = removal.value
  if (content.kind !== 'remove' || content.target !== self || !mayHaveRemoved(group, author)) return undefined
  const isIn = group.evaluateWith([bytes])?.devices.some(({ id, active }) => id === self && active)
  return isIn === true ? group.path(group.state.peek().heads, parents) : undefined
}

/** What the removed peer brings, beginning with `first`, is taken if it stays with it; else what removes others by it, and what that rests on. */
async function overrules(link: PairingLink, group: Group, first: Uint8Array, waiting: Waiting): Promise<boolean> {
  const brought = await receiveEntries(link, waiting, first).catch(() => undefined) // it went
  if (brought?.ok !== true) return false
  // Without a removal in it nothing of it can void one: that costs no check of a signature.
  const mayOverrule = brought.value.some(bytes => {
    const entry = decodeEntry(bytes)
    return entry.ok && entry.value.content.kind === 'remove'
  })
  const together = mayOverrule ? group.evaluateWith(brought.value) : undefined
  if (together === undefined) return false
  if (!together.devices.some(({ id, active }) => id === link.peer && active)) {
    group.receive(pastOf(together.removals, brought.value))
    return false
  }
  group.receive(brought.value)
  return group.isActive(link.peer)
}

/** Those of the entries that `ends` descend from, themselves included. */
function pastOf(ends: readonly EntryId[], entries: readonly Uint8Array[]): readonly Uint8Array[] {
  const brought = new Map<EntryId, SignedEntry>()
  for (const bytes of entries) {
    const entry = decodeEntry(bytes)
    if (entry.ok) brought.set(entry.value.id, entry.value)
  }
  const past = new Set<EntryId>()
  const below = [...ends]
  for (let id = below.pop(); id !== undefined; id = below.pop()) {
    const entry = past.has(id) ? undefined : brought.get(id)
    if (entry === undefined) continue
    past.add(id)
    below.push(...entry.parents)
  }
  return [...past].flatMap(id => brought.get(id)?.bytes ?? [])
}

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
      yield encodeGroupMessage({ v: 1, entries: batch, last: false })
      batch = []
      filled = 0
    }
    batch.push(entry)
    filled += entry.length + ENTRY_OVERHEAD_BYTES
  }
  yield encodeGroupMessage({ v: 1, entries: batch, last: true })
}

async function receiveEntries(link: PairingLink, waiting: Waiting, first?: Uint8Array): Promise<Result<readonly Uint8Array[], ErrorCode>> {
  const entries: Uint8Array[] = []
  let total = 0
  for (let count = 0; count < MAX_FRAMES; count++) {
    const frame = count === 0 && first !== undefined ? first : await link.receive(waiting)
    total += frame.length
    // The frames are hardly larger than what they carry: stop before even parsing more.
    if (total > MAX_PROOF_BYTES + MAX_PAIRING_FRAME_BYTES) return failed('FRAME_TOO_LARGE')
    const read = decodeGroupMessage(proofEntries, frame)
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
  }
  group.receive(entries)
  return group.isActive(peer) ? ok(peer) : failed('NOT_A_MEMBER')
}

/**
 * The entry, if it removes this device and is signed by somebody who can: an admin, or the recovery phrase, as this device knows them, or
 * an admin that was removed since, whose word prevails beside that removal. That of an admin it never heard of is not believed; then it
 * stays cut off without knowing why.
 */
function ownRemoval(self: DeviceId, group: Group, bytes: Uint8Array): SignedEntry | undefined {
  const entry = decodeEntry(bytes)
  if (!entry.ok || entry.value.group !== group.id) return undefined
  const { author, content } = entry.value
  if (content.kind !== 'remove' || content.target !== self) return undefined
  if (group.removalOf(self)?.entry === entry.value.id) return entry.value // its own log says so; it may have left by itself
  const by = group.device(author)
  const mayRemove = (by?.active === true && by.role === 'admin') || group.state.peek().recovery?.id === author
  if (!mayRemove && !isOutWith(self, group, entry.value)) return undefined
  if (!group.isSigned(entry.value)) return undefined
  const [outcome] = group.receive([bytes])
  // Where all that it rests on is here, it has to prevail as well.
  return outcome?.kind === 'held' || group.removalOf(self) !== undefined ? entry.value : undefined
}

function isOutWith(self: DeviceId, group: Group, { author, id, bytes }: SignedEntry): boolean {
  if (!mayHaveRemoved(group, author)) return false
  return group.evaluateWith([bytes])?.devices.find(each => each.id === self)?.removal?.entry === id
}

/** The word of a member that never was anything else is nothing, and costs nothing; one that was demoted may have spoken before it heard. */
function mayHaveRemoved(group: Group, author: DeviceId): boolean {
  const by = group.device(author)
  if (by === undefined) return false
  if (by.removal !== undefined || by.role === 'admin') return true
  return group.entries().some(entry => {
    const { content } = entry
    if (content.kind === 'genesis') return entry.author === author
    if (content.kind === 'add') return content.device === author && content.role === 'admin'
    return content.kind === 'role' && content.target === author && content.role === 'admin'
  })
}
