/**
 * Whether a device has heard of a claim, and everything it held then is here: the evidence that makes a claim confirmed. Both directions
 * must hold at one moment, seen on a live link where both summaries were equal; once seen it stays true, whatever happens to the link.
 */
import { claimKey, type Claim, type DeviceId, type DocTag, type Replica, type SessionId } from '@segue/core'

export interface ClaimEvidence {
  hasHeard(session: SessionId, device: DeviceId, claim: Claim): boolean
}

export function createClaimEvidence(replica: Pick<Replica, 'peers' | 'confirmedAt'>, tagOf: (session: SessionId) => DocTag): ClaimEvidence {
  const heard = new Set<string>()
  return {
    hasHeard(session, device, claim) {
      const key = `${session} ${device} ${claimKey(claim)}`
      if (heard.has(key)) return true
      const peer = replica.peers.peek().get(device)
      const isMutual = peer?.state === 'in-sync' && peer.behind === 0 && replica.confirmedAt(device, tagOf(session))
      if (isMutual) heard.add(key)
      return isMutual
    },
  }
}
