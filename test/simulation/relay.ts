/**
 * One relay of a simulated day: the relay's own code (gate, mailboxes, accounts, engine) on a volume in memory and virtual time. It
 * crashes and comes back, is set back to what it was earlier, shows some devices an old state while it takes what they bring, and its
 * disk may take nothing for a while. What it says it holds is written down, and compared with its disk when it comes up again.
 */
import { createIdentity, type ChunkId, type DeviceId, type MailboxId, type RelayQuotas } from '@segue/core'
import type { Clock, DeviceLinkHost, Logger, PairingLink } from '@segue/core/ports'
import { createPairingLinks, type SeededRandom } from '@segue/core/testing'
import { createRelayInside, type RelayInside } from '@segue/relay/testing'
import { createMemoryVolume, type MemoryVolume } from '@segue/storage/volume'
import { createManners, type Manners } from './relay-manners.ts'
import type { TimeLine } from './timeline.ts'

export interface Relay {
  readonly name: string
  readonly id: DeviceId
  readonly addresses: readonly string[]
  isUp(): boolean
  /** Where a link of this device leads; undefined while the relay is down. */
  hostFor(device: DeviceId): DeviceLinkHost | undefined
  /** A device's conversation about lists; undefined while it is down. */
  knock(device: DeviceId): PairingLink | undefined
  invite(): Promise<string>
  /** As its process dies: what was not durable is gone. Links to it must be cut by the caller. */
  crash(): void
  /** Comes up from what is durable. Gives what it had said to hold and does not. */
  start(): Promise<readonly string[]>
  /** A backup, to be set back to. */
  remember(): Promise<void>
  /** What it is now is gone; it is what it was when it last remembered. Nothing happens before that. */
  setBack(): Promise<boolean>
  /** From now on this device is shown what the relay was when it last remembered; what it brings goes to that copy and nowhere else. */
  deceive(device: DeviceId): Promise<boolean>
  /** Everybody is shown the same again, and what the copies took is gone. */
  undeceive(): void
  isDeceiving(device: DeviceId): boolean
  /** Whether it ever showed or held less than it had said. Crashes, a failing disk, delays and repetitions are no fault. */
  isBlameless(): boolean
  readonly manners: Manners
  failDisk(isFailing: boolean): void
  /** Everything on its disk, and nothing else. */
  bytes(): Promise<readonly Uint8Array[]>
  /** The fingerprint of the one mailbox it has, as a device would give it. */
  fingerprint(): Promise<string | undefined>
  /** The mailbox that is settled in the place of this one: nothing that is said of this one counts any more. */
  successor(mailbox: MailboxId): Promise<MailboxId | undefined>
  /** Of each of its mailboxes. */
  fingerprints(): Promise<ReadonlyMap<MailboxId, string>>
}

export interface RelayParts {
  readonly name: string
  readonly random: SeededRandom
  readonly timeline: TimeLine
  /** A list is in force: links of those that may not be here are to be cut. */
  readonly onListed: (relay: Relay) => void
  readonly onComplaint: (relay: string, complaint: string) => void
}

export async function createRelay({ name, random, timeline, onListed, onComplaint }: RelayParts): Promise<Relay> {
  const { id } = createIdentity({ name, random })
  const offByMs = random.pick([0, 0, -10 * YEAR_MS, YEAR_MS])
  const clock: Clock = { ...timeline.clock, now: () => timeline.clock.now() + offByMs }
  const addresses = [`/dns4/${name}.example.org/tcp/443/wss`]
  /** Sequence that it said to hold at least, by chunk. */
  let claims = new Map<ChunkId, number>()
  /** What somebody could not open gives way to other bytes, of a register even with a lesser sequence (R35). */
  const doubted = new Set<ChunkId>()
  let remembered: ReadonlyMap<string, Uint8Array> | undefined
  let volume: MemoryVolume = createMemoryVolume()
  let inside: RelayInside | undefined
  let copy: { readonly inside: RelayInside; readonly shownTo: Set<DeviceId> } | undefined
  let isWell: (() => void) | undefined
  let runs = 0
  let isGuilty = false

  const open = (on: MemoryVolume): Promise<RelayInside> => {
    const number = ++runs
    const complain =
      (level: string) =>
      (event: string, fields: object = {}): void => {
        if (inside !== undefined && number <= runs) onComplaint(name, `${level} ${event} ${JSON.stringify(fields)}`)
      }
    const logger: Logger = { debug: () => undefined, info: () => undefined, warn: complain('warn'), error: complain('error') }
    return createRelayInside({ id, addresses, volume: on, clock, random, logger, quotas: QUOTAS, onListed: () => onListed(relay) })
  }
  const contentOf = async (of: MemoryVolume): Promise<ReadonlyMap<string, Uint8Array>> => {
    const entries = await of.read(view => view.entries(EVERYTHING))
    return new Map(entries.map(([key, value]) => [Buffer.from(key).toString('latin1'), value]))
  }
  const theMailbox = async (): Promise<MailboxId | undefined> => (await inside?.engine.mailboxes())?.[0]?.id

  const lacking = async (): Promise<readonly string[]> => {
    if (inside === undefined) return []
    const missing = new Map(claims)
    for (const { id: mailbox } of await inside.engine.mailboxes()) {
      await inside.mailboxes.use(mailbox, async ({ store }) => {
        for (const [chunk, sequence] of missing) {
          const held = await store.head(chunk)
          if (held !== undefined && (held.sequence >= sequence || doubted.has(chunk))) missing.delete(chunk)
        }
      })
    }
    return [...missing.keys()].map(chunk => chunk.slice(0, 8))
  }
  const end = (running: RelayInside | undefined): void => void running?.close().catch(() => undefined) // its volume is gone

  const manners: Manners = createManners({
    clock: timeline.clock,
    random,
    onRejected: chunk => void doubted.add(chunk),
    onHolds: (chunk, sequence) => void claims.set(chunk, Math.max(claims.get(chunk) ?? 0, sequence)),
  })
  const relay: Relay = {
    name,
    id,
    addresses,
    manners,
    isUp: () => inside !== undefined,
    hostFor: device => (copy?.shownTo.has(device) === true ? copy.inside : inside)?.host,
    knock(device) {
      if (inside === undefined) return undefined
      const { a, b } = createPairingLinks({ a: device, b: id })
      inside.control(b)
      return a
    },
    async invite() {
      if (inside === undefined) throw new Error('a relay that is down makes no invites')
      return inside.invite()
    },
    crash() {
      isWell?.()
      isWell = undefined
      const running = inside
      inside = undefined
      relay.undeceive()
      volume = volume.crash()
      end(running)
    },
    async start() {
      inside ??= await timeline.during(open(volume))
      return timeline.during(lacking())
    },
    async remember() {
      remembered = await contentOf(volume)
    },
    async setBack() {
      if (remembered === undefined) return false
      isGuilty = true
      relay.crash()
      volume = createMemoryVolume(remembered)
      claims = new Map() // it no longer keeps what it promised; devices have to notice
      await relay.start()
      return true
    },
    async deceive(device) {
      if (remembered === undefined) return false
      isGuilty = true
      copy ??= { inside: await timeline.during(open(createMemoryVolume(remembered))), shownTo: new Set() }
      copy.shownTo.add(device)
      return true
    },
    undeceive() {
      const ended = copy
      copy = undefined
      end(ended?.inside)
    },
    isBlameless: () => !isGuilty && !manners.hasWithheld(),
    isDeceiving: device => copy?.shownTo.has(device) === true,
    failDisk(isFailing) {
      isWell?.()
      isWell = isFailing ? volume.failWrites() : undefined
    },
    async bytes() {
      const entries = await volume.read(view => view.entries(EVERYTHING))
      return entries.flat()
    },
    async successor(mailbox) {
      const by = (await inside?.engine.mailbox(mailbox))?.replaced?.by
      return by !== undefined && ((await inside?.engine.mailbox(by))?.list?.version ?? 0) >= 2 ? by : undefined
    },
    async fingerprints() {
      const found = new Map<MailboxId, string>()
      for (const { id: mailbox } of (await inside?.engine.mailboxes()) ?? []) {
        found.set(mailbox, (await inside?.mailboxes.use(mailbox, async ({ replica }) => replica.fingerprint())) ?? '')
      }
      return found
    },
    async fingerprint() {
      const mailbox = await theMailbox()
      return mailbox && inside?.mailboxes.use(mailbox, async ({ replica }) => replica.fingerprint())
    },
  }
  inside = await timeline.during(open(volume))
  return relay
}

const QUOTAS: RelayQuotas = { mailboxes: 4, bytes: 1e9, chunks: 1e6, bytesPerMinute: 1e10 }
const YEAR_MS = 365 * 24 * 60 * 60 * 1_000
const EVERYTHING = { gte: Uint8Array.of(0), lt: Uint8Array.of(255) }
