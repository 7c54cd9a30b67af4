import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSigningKeys, type SigningKeys } from '../crypto/sign.ts'
import { deviceIdOf, hexId, type DeviceId, type HandoffId, type SessionId } from '../lib/ids.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { isGenuineClaim, signClaimGrant } from './grants.ts'
import { claimKey, leaseOf, nextCounter, OFFER_GRACE_MS, type Claim, type LeaseEvidence } from './lease.ts'

const random = createSeededRandom(1)
const keys = [1, 2, 3].map(() => createSigningKeys(random))
const [laptop, desk, phone] = keys.map(({ publicKey }) => deviceIdOf(publicKey)) as [DeviceId, DeviceId, DeviceId]
const session = hexId<SessionId>(random.bytes(16))
const handoff = hexId<HandoffId>(random.bytes(16))

const evidence = (changes: Partial<LeaseEvidence> = {}): LeaseEvidence => ({
  self: laptop,
  now: 1_000,
  hasHeard: () => false,
  isActive: () => true,
  isGenuine: claim => isGenuineClaim(session, claim),
  ...changes,
})
const opened: Claim = { counter: 1, device: laptop, kind: 'opened', time: 0 }
const taken = (device: DeviceId, counter = 2): Claim => ({ counter, device, kind: 'taken', time: 0 })
const granted = (target: DeviceId, kind: 'granted' | 'offered' = 'granted', expiresAt = 0): Claim => {
  const signature = signClaimGrant({ handoff, session, source: laptop, target }, 2, expiresAt, keys[0] as SigningKeys)
  return { counter: 2, device: target, kind, time: 0, grant: { by: laptop, handoff, expiresAt, signature } }
}

describe('the holder', () => {
  test('[H26] is the greatest claim in whatever order claims arrive', () => {
    const claims = [opened, taken(desk), taken(phone), taken(desk, 4), taken(phone, 3)]
    fc.assert(
      fc.property(fc.shuffledSubarray(claims, { minLength: claims.length }), shuffled => {
        expect(leaseOf(shuffled, evidence()).claim).toEqual(taken(desk, 4))
      }),
    )
  })

  test('[H26] of two equal counters is the same on every device', () => {
    const one = leaseOf([taken(desk), taken(phone)], evidence()).holder
    expect(leaseOf([taken(phone), taken(desk)], evidence({ self: phone })).holder).toBe(one)
  })

  test('[H26] is nobody before the session was opened', () => {
    expect(leaseOf([], evidence())).toEqual({ claim: undefined, holder: undefined, confirmed: false, isFree: false })
  })

  test('[H38] is free when its holder was removed', () => {
    const isActive = (device: DeviceId): boolean => device !== laptop
    expect(leaseOf([opened], evidence())).toMatchObject({ holder: laptop, isFree: false })
    expect(leaseOf([opened], evidence({ isActive }))).toMatchObject({ holder: laptop, isFree: true })
  })

  test('[H26] is not changed by an offer, but the next counter is above it', () => {
    const claims = [opened, granted(desk, 'offered', 10)]
    expect(leaseOf(claims, evidence()).holder).toBe(laptop)
    expect(nextCounter(claims)).toBe(3)
    expect(new Set(claims.map(claimKey)).size).toBe(2)
  })
})

describe('confirmed', () => {
  test('[H28] is the first claim', () => {
    expect(leaseOf([opened], evidence()).confirmed).toBe(true)
  })

  test('[H28] is what the holder before granted with its signature', () => {
    expect(leaseOf([opened, granted(desk)], evidence()).confirmed).toBe(true)
  })

  test('[H28] is not a grant with a forged signature', () => {
    const forged = granted(desk)
    const claim = { ...forged, device: phone }
    expect(leaseOf([opened, claim], evidence()).confirmed).toBe(false)
  })

  test('[H28] is not what was taken, until the holder before was heard', () => {
    expect(leaseOf([opened, taken(desk)], evidence()).confirmed).toBe(false)
    expect(leaseOf([opened, taken(desk)], evidence({ hasHeard: device => device === laptop })).confirmed).toBe(true)
  })

  test('[H28] is what was taken once the holder before was removed', () => {
    expect(leaseOf([opened, taken(desk)], evidence({ isActive: device => device !== laptop })).confirmed).toBe(true)
  })

  test('[H28] asks once about each of forty claims, however unsure it is of those below', () => {
    let asked = 0
    const claims = [opened, ...Array.from({ length: 40 }, (_, i) => taken(i % 2 === 0 ? desk : phone, i + 2))]
    const hasHeard = (device: DeviceId): boolean => {
      asked++
      return device !== laptop
    }
    expect(leaseOf(claims, evidence({ hasHeard })).confirmed).toBe(false)
    expect(asked).toBeLessThan(40 * 40)
  })

  test('[H28] needs both rivals of a partition to have been heard', () => {
    const claims = [opened, taken(desk), taken(phone)]
    const winner = leaseOf(claims, evidence()).holder
    const loser = winner === desk ? phone : desk
    expect(leaseOf(claims, evidence({ hasHeard: device => device === laptop })).confirmed).toBe(false)
    expect(leaseOf(claims, evidence({ hasHeard: device => device === laptop || device === loser })).confirmed).toBe(true)
  })

  test('[H29] is not a holder whose offer may still be taken', () => {
    const claims = [opened, granted(desk, 'offered', 5_000)]
    expect(leaseOf(claims, evidence({ now: 5_000 + OFFER_GRACE_MS })).confirmed).toBe(false)
    expect(leaseOf(claims, evidence({ now: 5_001 + OFFER_GRACE_MS })).confirmed).toBe(true)
  })

  test('[H29] is a withdrawn offer’s device again once the other knows', () => {
    const kept: Claim = { counter: 3, device: laptop, kind: 'kept', time: 0 }
    const claims = [opened, granted(desk, 'offered', 5_000), kept]
    expect(leaseOf(claims, evidence()).confirmed).toBe(false)
    expect(leaseOf(claims, evidence({ hasHeard: device => device === desk })).confirmed).toBe(true)
  })
})
