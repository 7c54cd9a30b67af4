/**
 * Who drives a session. Every claim is one immutable entry of a grow-only map in the session document, so merging is union and
 * every device that has the same entries computes the same holder. Editing is never blocked by it; driving (focus, agents) is.
 *
 * The holder is easy: the greatest (counter, device). Whether it is *confirmed* is the promise "nobody else still believes to be
 * the confirmed holder": every device whose claim ranks below must know of this one, because it granted it, because it was heard
 * since, or because it was removed. A standing offer counts as a claim that may appear any moment.
 */
import { compareBytes } from '../lib/bytes.ts'
import type { DeviceId, HandoffId } from '../lib/ids.ts'
import { publicKeyOf } from '../lib/ids.ts'
import { DAY_MS } from '../lib/units.ts'

/** opened: by the creator. granted: by the device before. taken: without asking. kept: by a device that withdrew its offer. offered: may become a claim. */
export const CLAIM_KINDS = ['opened', 'granted', 'taken', 'kept', 'offered'] as const
export type ClaimKind = (typeof CLAIM_KINDS)[number]

export interface Claim {
  /** From 1. */
  readonly counter: number
  /** Who drives by this claim. */
  readonly device: DeviceId
  readonly kind: ClaimKind
  /** Milliseconds since 1970 at the writer. For people; nothing is decided by it, but for when an offer has surely lapsed. */
  readonly time: number
  /** `granted` and `offered` only. */
  readonly grant?: ClaimGrant
}

/** The word of the device that drives until then (grants.ts says what is signed). */
export interface ClaimGrant {
  readonly by: DeviceId
  readonly handoff: HandoffId
  /** Milliseconds since 1970 at the granter; 0 when written by the granter itself, at once. */
  readonly expiresAt: number
  /** 64 bytes. */
  readonly signature: Uint8Array
}

/** What this device knows about the others. */
export interface LeaseEvidence {
  readonly self: DeviceId
  /** Milliseconds since 1970 here. */
  readonly now: number
  /** A heartbeat or message of `device` says that it held `claim`, and everything it held then is here. */
  hasHeard(device: DeviceId, claim: Claim): boolean
  /** Not removed from the group. */
  isActive(device: DeviceId): boolean
  /** The grant's signature is the granter's. */
  isGenuine(claim: Claim): boolean
}

export interface Lease {
  /** Absent before anybody opened the session. */
  readonly claim: Claim | undefined
  readonly holder: DeviceId | undefined
  readonly confirmed: boolean
  /** The holder was removed from the group: nobody drives, and whoever takes the session is confirmed at once. */
  readonly isFree: boolean
}

/** How long after its expiry an offer may still be taken by a device whose clock is wrong. */
export const OFFER_GRACE_MS: number = DAY_MS

/** The key of a claim in the map. Equal claims have equal keys, so writing one twice changes nothing. */
export function claimKey(claim: Claim): string {
  return `${String(claim.counter).padStart(10, '0')}/${claim.device}/${claim.kind}`
}

export function leaseOf(claims: readonly Claim[], evidence: LeaseEvidence): Lease {
  const ranked = claims.filter(claim => claim.kind !== 'offered').toSorted(compareClaims)
  const holding = ranked.at(-1)
  const isFree = holding !== undefined && !evidence.isActive(holding.device)
  return { claim: holding, holder: holding?.device, confirmed: isLastConfirmed(ranked, claims, evidence), isFree }
}

/** The counter for the next claim: above everything claimed or offered, so that a late claim never outranks it. */
export function nextCounter(claims: readonly Claim[]): number {
  return 1 + claims.reduce((greatest, claim) => Math.max(greatest, claim.counter), 0)
}

/** Ascending by counter, then by the device's key, then by kind so that the order is total. */
export function compareClaims(a: Claim, b: Claim): number {
  if (a.counter !== b.counter) return a.counter - b.counter
  if (a.device !== b.device) return compareBytes(publicKeyOf(a.device), publicKeyOf(b.device))
  return a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : 0
}

/** Each claim asks only about those below it, so going up answers every question once: a long history of claims stays cheap. */
function isLastConfirmed(ranked: readonly Claim[], all: readonly Claim[], evidence: LeaseEvidence): boolean {
  const confirmed: boolean[] = []
  for (const [rank, claim] of ranked.entries()) {
    confirmed.push(isKnownBelow(claim, ranked.slice(0, rank), confirmed, evidence) && isAboveOffers(claim, all, evidence))
  }
  return confirmed.at(-1) ?? false
}

/** Every device that claimed below knows of `claim`, back to a confirmed claim: everyone below that stepped back for it. */
function isKnownBelow(claim: Claim, below: readonly Claim[], confirmed: readonly boolean[], evidence: LeaseEvidence): boolean {
  for (let rank = below.length - 1; rank >= 0; rank--) {
    const other = below[rank] as Claim
    if (!isAware(other.device, claim, evidence)) return false
    if (confirmed[rank]) return true
  }
  return true
}

/** An offer above this claim would outrank it; one below would lose to it, but its device may not know. */
function isAboveOffers(claim: Claim, all: readonly Claim[], evidence: LeaseEvidence): boolean {
  return all.every(
    offer => !mayStillBeTaken(offer, claim, evidence) || (compareClaims(offer, claim) < 0 && isAware(offer.device, claim, evidence)),
  )
}

function isAware(device: DeviceId, claim: Claim, evidence: LeaseEvidence): boolean {
  if (device === claim.device || !evidence.isActive(device)) return true
  if (claim.kind === 'granted' && claim.grant?.by === device && evidence.isGenuine(claim)) return true
  return evidence.hasHeard(device, claim)
}

/** An offer that its device may turn into a claim in ignorance of `claim`. */
function mayStillBeTaken(offer: Claim, claim: Claim, { now }: LeaseEvidence): boolean {
  if (offer.kind !== 'offered' || offer.device === claim.device) return false
  return now <= (offer.grant?.expiresAt ?? 0) + OFFER_GRACE_MS
}
