/** Between the wire and the records: what a record says, and what a message means, checked as far as signatures go. */
import { hexId, idBytes, publicKeyOf, type DeviceId, type HandoffId, type SessionId, type TraceId } from '../lib/ids.ts'
import { DAY_MS, SECOND_MS } from '../lib/units.ts'
import type { SignerKeys } from '../crypto/sign.ts'
import type { Verifier } from '../ports/verifier.ts'
import { MAX_HOT_SET_BYTES } from '../wire/limits.ts'
import type { AbortReason, ControlMessage } from '../wire/control-messages.ts'
import type { GrantDesk } from './grant-desk.ts'
import { isClaimGrant, signLiveGrant, type GrantScope } from './grants.ts'
import { fromWireManifest, toWireManifest } from './manifest.ts'
import type { Effect, HandoffEvent, HandoffRecord } from './state.ts'

/** What a peer may ask for; its wish is bounded, not believed. */
export const SHORTEST_LIFETIME_MS: number = SECOND_MS
export const LONGEST_LIFETIME_MS: number = 30 * DAY_MS

export type SentMessage = Extract<Effect, { type: 'send' }>['message']

export interface MessageIds {
  readonly handoff: HandoffId
  readonly session: SessionId
  readonly trace: TraceId
}

export function idsOf(message: ControlMessage): MessageIds {
  return { handoff: hexId(message.handoff), session: hexId(message.session), trace: hexId(message.trace) }
}

export function scopeOf(record: HandoffRecord, self: DeviceId): GrantScope {
  const source = record.side === 'source' ? self : record.peer
  return { handoff: record.id, session: record.session, source, target: record.target }
}

/** What the record says now; `undefined` when it has nothing of the kind to say. */
export function composeMessage(
  record: HandoffRecord,
  type: SentMessage,
  here: {
    readonly self: DeviceId
    readonly signing: SignerKeys
    readonly now: number
    readonly hotSet: Uint8Array
    readonly bytes: number
    /** For an accept. */
    readonly grants?: Pick<GrantDesk, 'ask'>
  },
): ControlMessage | undefined {
  const base = baseOf(record, record.attempt)
  const expiresInMs = Math.max(0, record.expiresAt - here.now)
  const { manifest, nonce, claim, kinds, revision, milestone, conflicts, late } = record
  switch (type) {
    case 'request':
      return { ...base, type, kinds, expiresInMs }
    case 'offer': {
      if (manifest === undefined) return undefined
      const hotSet = here.hotSet.length <= MAX_HOT_SET_BYTES ? here.hotSet : new Uint8Array(0)
      const standing = record.standing === undefined ? {} : { standing: record.standing }
      const target = publicKeyOf(record.target)
      return { ...base, type, kinds, expiresInMs, revision, manifest: toWireManifest(manifest), hotSet, target, ...standing }
    }
    case 'accept':
      return here.grants && { ...base, type, nonce: here.grants.ask(record.attempt) }
    case 'grant':
      return nonce && { ...base, type, nonce, signature: signLiveGrant(scopeOf(record, here.self), record.attempt, nonce, here.signing) }
    case 'progress':
      return { ...base, type, milestone, bytes: here.bytes }
    case 'verified':
      return { ...base, type, revision, bytes: here.bytes, conflicts }
    case 'commit':
      return manifest && claim && { ...base, type, kinds, manifest: toWireManifest(manifest), late, claim }
  }
}

export function composeAbort(ids: Pick<HandoffRecord, 'id' | 'session' | 'trace'>, attempt: number, reason: AbortReason): ControlMessage {
  return { ...baseOf(ids, attempt), type: 'abort', reason }
}

/** The event that a message is to this record; `undefined` when a signature does not hold. Times are stamped here. */
export function eventOf(
  message: ControlMessage,
  record: HandoffRecord,
  here: {
    readonly self: DeviceId
    readonly now: number
    readonly grants: Pick<GrantDesk, 'redeem'>
    readonly verifier?: Verifier | undefined
  },
): HandoffEvent | undefined {
  const scope = scopeOf(record, here.self)
  const { now } = here
  switch (message.type) {
    case 'request':
      return {
        type: 'request',
        attempt: message.attempt,
        kinds: message.kinds,
        startedAt: now,
        expiresAt: now + boundedLifetimeMs(message.expiresInMs),
      }
    case 'offer': {
      const { attempt, revision, kinds, standing } = message
      const isStanding =
        standing !== undefined &&
        now <= standing.expiresAt &&
        isClaimGrant(scope, standing.counter, standing.expiresAt, standing.signature, here.verifier)
      const lifetimeMs = boundedLifetimeMs(message.expiresInMs)
      const expiresAt = isStanding ? Math.min(standing.expiresAt, now + LONGEST_LIFETIME_MS) : now + lifetimeMs
      const manifest = fromWireManifest(message.manifest)
      return { type: 'offer', attempt, revision, kinds, manifest, standing: isStanding ? standing : undefined, startedAt: now, expiresAt }
    }
    case 'accept':
      return { type: 'accept', attempt: message.attempt, nonce: message.nonce }
    case 'grant': {
      const { attempt, nonce, signature } = message
      return here.grants.redeem(scope, attempt, nonce, signature) ? { type: 'grant', attempt } : undefined
    }
    case 'progress':
      return { type: 'progress', attempt: message.attempt, milestone: message.milestone, bytes: message.bytes }
    case 'verified':
      return { type: 'verified', attempt: message.attempt, revision: message.revision, bytes: message.bytes, conflicts: message.conflicts }
    case 'commit': {
      const { kinds, late, claim } = message
      if (!isClaimGrant(scope, claim.counter, claim.expiresAt, claim.signature, here.verifier)) return undefined
      return { type: 'commit', manifest: fromWireManifest(message.manifest), kinds, late, claim, expiresAt: now + record.lifetimeMs }
    }
    case 'abort':
      return { type: 'abort', attempt: message.attempt, reason: message.reason }
  }
}

export function boundedLifetimeMs(wished: number): number {
  return Math.min(LONGEST_LIFETIME_MS, Math.max(SHORTEST_LIFETIME_MS, wished))
}

function baseOf(
  { id, session, trace }: Pick<HandoffRecord, 'id' | 'session' | 'trace'>,
  attempt: number,
): Pick<ControlMessage, 'handoff' | 'session' | 'trace' | 'attempt'> {
  return { handoff: idBytes(id), session: idBytes(session), trace: idBytes(trace), attempt }
}
