/**
 * The two permissions a source signs. A *live* grant answers the receiver's fresh nonce, so a recorded one is worth nothing.
 * A *claim* grant lets one device hold one counter of one session; it is what other devices check to call that claim confirmed,
 * and, with an expiry, what stands behind a queued offer. Both name both devices, the session and the handoff.
 */
import { sign, verify, type SignerKeys } from '../crypto/sign.ts'
import { toHex } from '../lib/bytes.ts'
import { encodeCbor } from '../lib/codec.ts'
import { idBytes, publicKeyOf, type DeviceId, type HandoffId, type SessionId } from '../lib/ids.ts'
import type { Verifier } from '../ports/verifier.ts'
import type { Claim } from './lease.ts'

export interface GrantScope {
  readonly handoff: HandoffId
  readonly session: SessionId
  readonly source: DeviceId
  readonly target: DeviceId
}

export function signLiveGrant(scope: GrantScope, attempt: number, nonce: Uint8Array, keys: SignerKeys): Uint8Array {
  return sign('handoff-grant', liveBytes(scope, attempt, nonce), keys)
}

export function isLiveGrant(scope: GrantScope, attempt: number, nonce: Uint8Array, signature: Uint8Array, verifier?: Verifier): boolean {
  return verify('handoff-grant', liveBytes(scope, attempt, nonce), signature, publicKeyOf(scope.source), verifier)
}

/** `expiresAt` 0: written by the granter itself. */
export function signClaimGrant(scope: GrantScope, counter: number, expiresAt: number, keys: SignerKeys): Uint8Array {
  return sign('handoff-grant', claimBytes(scope, counter, expiresAt), keys)
}

export function isClaimGrant(scope: GrantScope, counter: number, expiresAt: number, signature: Uint8Array, verifier?: Verifier): boolean {
  return verify('handoff-grant', claimBytes(scope, counter, expiresAt), signature, publicKeyOf(scope.source), verifier)
}

/** Whether a claim of `session` carries the word of the device it says. */
export function isGenuineClaim(session: SessionId, { device, counter, grant }: Claim, verifier?: Verifier): boolean {
  if (grant === undefined) return false
  const scope = { handoff: grant.handoff, session, source: grant.by, target: device }
  return isClaimGrant(scope, counter, grant.expiresAt, grant.signature, verifier)
}

/** As isGenuineClaim; remembers what it found true. */
export function createClaimChecker(verifier?: Verifier): (session: SessionId, claim: Claim) => boolean {
  const genuine = new Set<string>()
  return (session, claim) => {
    const { device, counter, grant } = claim
    if (grant === undefined) return false
    const name = [session, device, counter, grant.by, grant.handoff, grant.expiresAt, toHex(grant.signature)].join()
    if (genuine.has(name)) return true
    if (!isGenuineClaim(session, claim, verifier)) return false
    if (genuine.size >= MAX_REMEMBERED) genuine.clear()
    genuine.add(name)
    return true
  }
}

const MAX_REMEMBERED = 10_000

function liveBytes(scope: GrantScope, attempt: number, nonce: Uint8Array): Uint8Array {
  return encodeCbor(['live', ...scopeParts(scope), attempt, nonce])
}

function claimBytes(scope: GrantScope, counter: number, expiresAt: number): Uint8Array {
  return encodeCbor(['claim', ...scopeParts(scope), counter, expiresAt])
}

function scopeParts({ handoff, session, source, target }: GrantScope): Uint8Array[] {
  return [idBytes(handoff), idBytes(session), publicKeyOf(source), publicKeyOf(target)]
}
