/** The claims that a handoff writes, one at a time per session, each safe to write again after a crash. */
import type { DeviceId, HandoffId, SessionId } from '../lib/ids.ts'
import type { CommittedClaim, StandingGrant } from '../wire/control-messages.ts'
import type { HandoffComponents } from './collaborators.ts'
import { createClaimChecker, signClaimGrant } from './grants.ts'
import { leaseOf, nextCounter, type Claim, type Lease, type LeaseEvidence } from './lease.ts'
import type { HandoffRecord, SourceRecord } from './state.ts'
import { createSerialQueue, type SerialQueue } from './serial.ts'

export type WrittenClaim = { readonly kind: 'written'; readonly claim: CommittedClaim } | { readonly kind: 'moved' }

export interface ClaimWriter {
  lease(session: SessionId): Promise<Lease>
  /** The creator's first claim; nothing when there is one. */
  open(session: SessionId): Promise<void>
  /** The standing grant behind a queued offer, visible in the session before it leaves. */
  promise(record: SourceRecord): Promise<StandingGrant>
  /** The target of this standing offer has claimed the session by it, as far as is known here. */
  isTaken(record: SourceRecord): Promise<boolean>
  /** The source lets go. `moved`: it held the session when it made the offer, and no longer does. */
  pass(record: SourceRecord): Promise<WrittenClaim>
  /** A withdrawn offer is outranked, unless it was taken already. */
  keep(record: SourceRecord): Promise<void>
  /** The target writes its own claim: by a standing grant, or unasked. */
  take(record: HandoffRecord): Promise<void>
  /** The claim that came with a commit, so that it need not be waited for. */
  adopt(record: HandoffRecord): Promise<void>
}

export function createClaimWriter({ identity, clock, leases, devices, verifier }: HandoffComponents): ClaimWriter {
  const serial: SerialQueue<SessionId> = createSerialQueue()
  const self = identity.id
  const isGenuineClaim = createClaimChecker(verifier)

  const evidenceFor = (session: SessionId): LeaseEvidence => ({
    self,
    now: clock.now(),
    hasHeard: (device, claim) => leases.hasHeard(session, device, claim),
    isActive: device => devices.isActive(device),
    isGenuine: claim => isGenuineClaim(session, claim),
  })
  const grantFor = (record: HandoffRecord, source: DeviceId, counter: number, expiresAt: number): StandingGrant => {
    const scope = { handoff: record.id, session: record.session, source, target: record.target }
    return { counter, expiresAt, signature: signClaimGrant(scope, counter, expiresAt, identity.signing) }
  }
  const granted = (target: DeviceId, by: DeviceId, handoff: HandoffId, { counter, expiresAt, signature, time }: CommittedClaim): Claim => ({
    counter,
    device: target,
    kind: 'granted',
    time,
    grant: { by, handoff, expiresAt, signature },
  })

  return {
    async lease(session) {
      return leaseOf(await leases.read(session), evidenceFor(session))
    },
    open(session) {
      return serial.run(session, async () => {
        if ((await leases.read(session)).length > 0) return
        await leases.write(session, { counter: 1, device: self, kind: 'opened', time: clock.now() })
      })
    },
    promise(record) {
      return serial.run(record.session, async () => {
        const claims = await leases.read(record.session)
        const before = claims.find(
          claim => claim.kind === 'offered' && claim.grant?.handoff === record.id && claim.grant.expiresAt === record.expiresAt,
        )
        if (before?.grant !== undefined)
          return { counter: before.counter, expiresAt: before.grant.expiresAt, signature: before.grant.signature }
        const standing = grantFor(record, self, nextCounter(claims), record.expiresAt)
        const claim = { ...granted(record.target, self, record.id, { ...standing, time: clock.now() }), kind: 'offered' } as const
        await leases.write(record.session, claim)
        return standing
      })
    },
    async isTaken({ id, session, target }) {
      const claims = await leases.read(session)
      return claims.some(claim => claim.kind === 'granted' && claim.grant?.handoff === id && claim.device === target)
    },
    pass(record) {
      return serial.run(record.session, async () => {
        const claims = await leases.read(record.session)
        const before = claims.find(
          claim => claim.kind === 'granted' && claim.grant?.handoff === record.id && claim.device === record.target,
        )
        if (before?.grant !== undefined) {
          const { expiresAt, signature } = before.grant
          const claim = { counter: before.counter, time: before.time, expiresAt, signature }
          await leases.write(record.session, before) // the write before the crash may not have reached the disk
          return { kind: 'written', claim }
        }
        if (record.held && leaseOf(claims, evidenceFor(record.session)).holder !== self) return { kind: 'moved' }
        const claim = { ...(record.standing ?? grantFor(record, self, nextCounter(claims), 0)), time: clock.now() }
        await leases.write(record.session, granted(record.target, self, record.id, claim))
        return { kind: 'written', claim }
      })
    },
    keep(record) {
      return serial.run(record.session, async () => {
        const claims = await leases.read(record.session)
        const holding = leaseOf(claims, evidenceFor(record.session)).claim
        if (holding?.device !== self || holding.counter > (record.standing?.counter ?? 0)) return
        await leases.write(record.session, { counter: nextCounter(claims), device: self, kind: 'kept', time: clock.now() })
      })
    },
    take(record) {
      return serial.run(record.session, async () => {
        if (record.standing !== undefined && record.authority === 'standing') {
          const claim = granted(self, record.peer, record.id, { ...record.standing, time: clock.now() })
          return leases.write(record.session, claim)
        }
        const claims = await leases.read(record.session)
        if (leaseOf(claims, evidenceFor(record.session)).holder === self) return
        await leases.write(record.session, { counter: nextCounter(claims), device: self, kind: 'taken', time: clock.now() })
      })
    },
    adopt(record) {
      return serial.run(record.session, async () => {
        if (record.claim === undefined) return
        await leases.write(record.session, granted(self, record.peer, record.id, record.claim))
      })
    },
  }
}
