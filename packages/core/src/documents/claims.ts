/**
 * Who wrote what: a signed register per (document, device), because chunks are sealed with a key all members share. A change
 * depends on its actor's previous one, and a fresh actor starts from everything on disk, so the latest own change vouches for
 * all before it. Written at most once a second, and when a document is closed.
 *
 *     body = CBOR {v: 1, own: [hash 32], log: [entry id 32], time}
 */
import * as v from 'valibot'
import { decodeRegister, encodeRegister, registerContentKey } from '../crypto/index.ts'
import { fromHex, toHex } from '../lib/bytes.ts'
import { bytesOf, decodeCbor, encodeCbor, wholeNumber } from '../lib/codec.ts'
import { hexId, idBytes, type DeviceId, type EntryId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import { SECOND_MS } from '../lib/units.ts'
import type { Verifier } from '../ports/verifier.ts'
import { MAX_REGISTER_BYTES } from '../wire/limits.ts'
import type { CommitFacts } from './commit.ts'
import type { DocumentsContext } from './context.ts'
import type { DocumentName } from './stored-document.ts'

export const CLAIM_NAME = 'claim'
export const CLAIM_INTERVAL_MS: number = SECOND_MS

export interface Claim {
  /** Hex hashes of the latest own change of each actor used, newest first; what that actor wrote before is vouched for with it. */
  readonly own: readonly string[]
  /** What the device knew of the group. */
  readonly log: readonly EntryId[]
  /** Milliseconds since 1970 as the device believed. Information only. */
  readonly time: number
}

export interface Claims {
  /** A change captured here; those by other actors (merged in) are not claimed. */
  note(commit: CommitFacts, actor: string): void
  /** Writes what is not claimed yet, now. Resolves when handed to the replica and durable. */
  settle(): Promise<void>
  close(): void
}

export function createClaims(context: DocumentsContext, name: DocumentName): Claims {
  const { identity, sealer, chunkStore, replica, clock, logger, verifier } = context
  const contentKey = registerContentKey(CLAIM_NAME, identity.id)
  const chunkId = sealer.chunkIdOf('register', name.bytes, contentKey)
  const latestByActor = new Map<string, string>()
  /** Of this opening of the document. */
  const claimed = new Set<string>()
  /** Of actors of earlier openings, newest first. */
  let earlier: readonly string[] = []
  let cancel: (() => void) | undefined
  let isDue = false
  let isClosed = false
  let writing: Promise<void> = Promise.resolve()
  let lastSequence = 0

  const write = async (): Promise<void> => {
    if (!isDue) return
    const stored = await chunkStore.get(chunkId)
    isDue = false
    const opened = stored === undefined ? undefined : sealer.open(stored)
    const previous = opened?.ok && stored !== undefined ? readClaim(opened.value.content, stored.sequence, name.bytes, verifier) : undefined
    const before = previous?.ok ? previous.value.claim.own.filter(hash => !claimed.has(hash)) : []
    earlier = [...new Set([...before, ...earlier])].slice(0, MAX_EARLIER)
    for (const hash of latestByActor.values()) claimed.add(hash)
    // What does not open is not ours to go on from: whoever put it there chose its sequence.
    if (opened?.ok && stored !== undefined) lastSequence = Math.max(lastSequence, stored.sequence)
    lastSequence += 1
    const sequence = lastSequence
    const claim: Claim = {
      own: [...latestByActor.values(), ...earlier],
      log: context.logHeads?.() ?? [],
      time: Math.max(0, Math.trunc(clock.now())),
    }
    const register = { documentId: name.bytes, name: CLAIM_NAME, device: identity.id, sequence, body: encodeClaim(claim) }
    const content = encodeRegister(register, identity.signing)
    await replica.add([sealer.seal({ class: 'register', documentId: name.bytes, contentKey, content, sequence })])
  }
  const settle = (): Promise<void> => {
    cancel?.()
    cancel = undefined
    writing = writing.then(write, write)
    writing.catch((error: unknown) => {
      if (isClosed) return
      logger.warn('claim-not-written', { reason: String(error) })
      schedule()
    })
    return writing
  }
  const schedule = (): void => {
    cancel ??= clock.after(CLAIM_INTERVAL_MS, () => void settle())
  }
  return {
    note(commit, actor) {
      if (!commit.actor.endsWith(actor)) return
      latestByActor.set(commit.actor, commit.hash)
      isDue = true
      if (!isClosed) schedule()
    },
    settle,
    close() {
      isClosed = true
      cancel?.()
    },
  }
}

/** The claim in the content of an opened register chunk, its signature verified. */
export function readClaim(
  content: Uint8Array,
  sequence: number,
  documentId: Uint8Array,
  verifier?: Verifier,
): Result<{ readonly device: DeviceId; readonly claim: Claim }, string> {
  const register = decodeRegister(content, { sequence, documentId }, verifier)
  if (!register.ok) return register
  if (register.value.name !== CLAIM_NAME) return failed('register: not a claim')
  const claim = decodeClaim(register.value.body)
  return claim.ok ? ok({ device: register.value.device, claim: claim.value }) : claim
}

/** The claim in a verified register of that name. */
export function decodeClaim(body: Uint8Array): Result<Claim, string> {
  const decoded = decodeCbor(SHAPE, body, MAX_REGISTER_BYTES)
  if (!decoded.ok) return failed(`claim: ${decoded.error.reason}`)
  const { own, log, time } = decoded.value
  return ok({ own: own.map(toHex), log: log.map(id => hexId<EntryId>(id)), time })
}

function encodeClaim({ own, log, time }: Claim): Uint8Array {
  return encodeCbor({ v: 1, own: own.map(fromHex), log: log.map(idBytes), time })
}

/** A fresh actor starts from everything on disk, so dropping the oldest loses a name beside old changes and nothing else. */
const MAX_EARLIER = 64

const SHAPE = v.strictObject({ v: v.literal(1), own: v.array(bytesOf(32)), log: v.array(bytesOf(32)), time: wholeNumber })
