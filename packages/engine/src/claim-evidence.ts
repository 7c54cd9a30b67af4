/**
 * Whether a device has heard of a claim, and everything it held then is here: the evidence that makes a claim confirmed. Once seen it
 * stays true, whatever happens later. Two things show it: a live link where both summaries were equal; and a heartbeat of that device,
 * heard from anybody, that says it held exactly what is here, looked at after the claim was.
 */
import { claimKey, type Claim, type DeviceId, type DocTag, type Heartbeats, type Replica, type SessionId } from '@segue/core'

export interface ClaimEvidence {
  /** Asked about claims that are here. */
  hasHeard(session: SessionId, device: DeviceId, claim: Claim): boolean
}

export function createClaimEvidence(
  replica: Pick<Replica, 'peers' | 'confirmedAt'>,
  heartbeats: Pick<Heartbeats, 'looks' | 'isCoveredBy'>,
  tagOf: (session: SessionId) => DocTag,
): ClaimEvidence {
  const heard = new Set<string>()
  /** By what look at this device's state a claim may not have been counted yet. */
  const firstAsked = new Map<string, number>()
  return {
    hasHeard(session, device, claim) {
      const key = `${session} ${device} ${claimKey(claim)}`
      if (heard.has(key)) return true
      const look = firstAsked.get(key) ?? heartbeats.looks()
      firstAsked.set(key, look)
      const peer = replica.peers.peek().get(device)
      const isMutual = peer?.state === 'in-sync' && peer.behind === 0 && replica.confirmedAt(device, tagOf(session))
      const isHeard = isMutual || heartbeats.isCoveredBy(device, look)
      if (isHeard) {
        heard.add(key)
        firstAsked.delete(key)
      }
      return isHeard
    },
  }
}
