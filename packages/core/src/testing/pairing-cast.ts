/** Real devices for pairing tests: the laptop is in a group and shows a code; others join it over links in memory. */
import { foundGroup, type Group } from '../group/index.ts'
import { createIdentity, type DeviceIdentity } from '../identity/index.ts'
import { createInviter, join, type Inviter, type InviterOptions, type Joined, type Joining, type JoinOptions } from '../pairing/pairing.ts'
import type { Random } from '../ports/random.ts'
import type { PairingLink } from '../ports/pairing-link.ts'
import { createManualClock, type ManualClock } from './manual-clock.ts'
import { createPairingLinks, type PairingLinkPair } from './pairing-links.ts'
import { createSeededRandom } from './seeded-random.ts'

export interface PairingCast {
  readonly clock: ManualClock
  readonly random: Random
  readonly laptop: DeviceIdentity
  readonly desk: DeviceIdentity
  readonly phone: DeviceIdentity
  readonly group: Group
  device(name: string): DeviceIdentity
  invite(options?: Partial<InviterOptions>): Inviter
  /** Joins over one link pair (`b` is the new device), handed to the inviter at once. `prepare` may tamper with it first. */
  join(inviter: Inviter, options?: JoinSetup): JoinInTest
}

export interface JoinSetup extends Partial<Pick<JoinOptions, 'invitation' | 'keep' | 'signal'>> {
  readonly device?: DeviceIdentity
  readonly prepare?: (links: PairingLinkPair, dialNumber: number) => void
  /** Instead of a link straight to the inviter. */
  readonly dial?: () => PairingLink
}

export interface JoinInTest extends Joining {
  /** One pair for each time the new device dialled. */
  readonly links: readonly PairingLinkPair[]
  /** What the new device put on its disk. */
  readonly kept: readonly Joined[]
}

/** The digits, as soon as the new device shows them. */
export async function shownCode(joining: Pick<Joining, 'code'>): Promise<string> {
  return (await joining.code.when(code => code !== undefined)) ?? ''
}

/** Six digits that are certainly not these. */
export function otherDigits(code: string): string {
  return String((Number(code) + 1) % 1_000_000).padStart(6, '0')
}

export function createPairingCast(seed: number): PairingCast {
  const random = createSeededRandom(seed)
  const clock = createManualClock()
  const device = (name: string): DeviceIdentity => createIdentity({ name, random })
  const [laptop, desk, phone] = [device('laptop'), device('desk'), device('phone')]
  const group = foundGroup({ identity: laptop, random, time: clock.now() })
  return {
    clock,
    random,
    laptop,
    desk,
    phone,
    group,
    device,
    invite: options =>
      createInviter({
        identity: laptop,
        group,
        clock,
        random,
        addresses: ['/ip4/192.168.1.20/tcp/4001', '/ip6/fe80::1/tcp/4001/ws'],
        keep: async () => undefined,
        ...options,
      }),
    join(inviter, { device: identity = desk, prepare, dial, ...options } = {}) {
      const links: PairingLinkPair[] = []
      const kept: Joined[] = []
      const joining = join({
        invitation: { text: inviter.text },
        identity,
        platform: 'linux',
        clock,
        random,
        async keep(joined) {
          kept.push(joined)
        },
        async dial() {
          if (dial !== undefined) return dial()
          const pair = createPairingLinks({ a: laptop.id, b: identity.id })
          prepare?.(pair, links.length)
          links.push(pair)
          void inviter.accept(pair.a)
          return pair.b
        },
        ...options,
      })
      return { ...joining, links, kept }
    },
  }
}
