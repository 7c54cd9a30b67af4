/** Relays in a day: one or two that the group uses, what befalls them, and devices that take turns to be awake. */
import type { DeviceId, RelayTrouble } from '@segue/core'
import type { PairingLink } from '@segue/core/ports'
import type { SeededRandom } from '@segue/core/testing'
import { createCanarySearch } from '../integration/canary.ts'
import { startUp, type Day } from './day.ts'
import type { Device, Process } from './device.ts'
import type { Oracle } from './oracle.ts'
import { createRelayLinks, type RelayLinks } from './relay-links.ts'
import type { Manner } from './relay-manners.ts'
import { createRelay, type Relay } from './relay.ts'
import type { TimeLine } from './timeline.ts'

export interface RelayWorld {
  readonly all: readonly Relay[]
  readonly links: RelayLinks
  /** Keeps its manner when everything else heals. */
  readonly stubborn: Set<Relay>
  /** What devices said of relays so far, by the relay: the kinds of trouble. */
  readonly named: Map<DeviceId, Set<RelayTrouble['kind']>>
  /** From now on what this device says of relays is noted. */
  watch(process: Process): void
  /** In whatever people write; must not show on relays or on the wire to them. */
  readonly canary: string
  found(name: string): Promise<Relay>
  knock(relay: DeviceId, from: DeviceId): PairingLink | undefined
  /** [I4] Looks for the canary. */
  look(bytes: Uint8Array, where: string): void
}

export interface RelayWorldParts {
  readonly devices: readonly Device[]
  readonly random: SeededRandom
  readonly timeline: TimeLine
  readonly oracle: Oracle
}

export function createRelayWorld({ devices, random, timeline, oracle }: RelayWorldParts): RelayWorld {
  const all: Relay[] = []
  const canary = Array.from(random.bytes(16), byte => LETTERS[byte % LETTERS.length]).join('')
  const search = createCanarySearch([canary])
  const look = (bytes: Uint8Array, where: string): void => {
    for (const { form } of search(bytes, where)) oracle.violate('I4', `what people wrote shows as ${form} in ${where}`)
  }
  const named = new Map<DeviceId, Set<RelayTrouble['kind']>>()
  const links = createRelayLinks({ devices, relays: all, random, timeline, onFrame: frame => look(frame, 'a frame') })
  return {
    all,
    links,
    stubborn: new Set(),
    named,
    watch({ device, relays, isAlive }) {
      relays.list.subscribe(list => {
        for (const { id, behind } of isAlive() ? list : []) {
          const kinds = named.get(id) ?? new Set()
          if (behind === undefined || kinds.has(behind.kind)) continue
          named.set(id, kinds.add(behind.kind))
          timeline.note(`${device.name} says of ${all.find(relay => relay.id === id)?.name}: ${behind.kind}`)
        }
      })
    },
    canary,
    look,
    knock: (relay, from) => all.find(each => each.id === relay)?.knock(from),
    async found(name) {
      const relay = await createRelay({
        name,
        random: random.fork(10 + all.length),
        timeline,
        onListed: listed => links.expel(listed),
        onComplaint: (who, complaint) => timeline.note(`${who} ${complaint}`),
      })
      all.push(relay)
      return relay
    },
  }
}

/** An admin uses the invites of one operator, or of two. */
export async function addRelays(day: Day, admin: Process): Promise<void> {
  const { random, timeline, relays } = day
  for (const name of random.chance(0.35) ? ['attica', 'basement'] : ['attica']) {
    const relay = await relays.found(name)
    await timeline.during(admin.relays.add(await timeline.during(relay.invite())))
    await timeline.during(relay.remember())
    timeline.note(`${admin.device.name} adds relay ${name}`)
  }
}

export async function relayMishap(day: Day): Promise<void> {
  const { random, timeline, devices, relays, oracle } = day
  const { note, clock } = timeline
  const relay = random.pick(relays.all)
  const device = random.pick(devices)
  switch (random.below(11)) {
    case 0:
    case 1:
      return relays.links.cut(0.5)
    case 2:
    case 3: {
      note(`${relay.name} crashes`)
      relays.links.cutAllOf(relay)
      relay.crash()
      if (random.chance(0.6)) await clock.advance(random.below(3_000))
      return comeBack(day, relay)
    }
    case 4:
      note(`${relay.name} is backed up`)
      return timeline.during(relay.remember())
    case 5:
      note(`${relay.name} is set back to its backup`)
      relays.links.cutAllOf(relay)
      relay.undeceive()
      await relay.setBack()
      return
    case 6:
      note(`${relay.name} shows ${device.name} its backup`)
      relays.links.cutAllOf(device)
      await relay.deceive(device.id)
      return
    case 7:
    case 8:
      relay.manners.manner = random.pick(MANNERS)
      note(`${relay.name} is ${relay.manners.manner}`)
      if (day.kind === 'relays' && random.chance(0.3)) relays.stubborn.add(relay)
      return
    case 9:
      note(`${relay.name}: disk fails`)
      relay.failDisk(true)
      clock.after(random.below(3_000), () => relay.failDisk(false))
      return
    default:
      device.offByMs = random.pick([-DAY_MS, DAY_MS, 0])
      note(`${device.name}: clock off by ${device.offByMs} ms`)
      oracle.checkPromises()
  }
}

/** What befalls an honest relay. */
export async function relayTrouble(day: Day): Promise<void> {
  const { random, timeline, relays } = day
  const relay = random.pick(relays.all)
  if (random.chance(0.5)) return relays.links.cut(0.5)
  timeline.note(`${relay.name} crashes`)
  relays.links.cutAllOf(relay)
  relay.crash()
  if (random.chance(0.6)) await timeline.clock.advance(random.below(3_000))
  return comeBack(day, relay)
}

/** It has what it acknowledged, whatever became of its process. */
export async function comeBack({ oracle, timeline }: Day, relay: Relay): Promise<void> {
  const lacking = await relay.start()
  timeline.note(`${relay.name} is back`)
  if (lacking.length > 0) oracle.violate('relay disk', `${relay.name} came up again without ${lacking.join(' ')}`)
}

/** Whoever is awake goes to sleep, another device wakes. */
export async function changeShift(day: Day, next: Device = day.random.pick(day.devices)): Promise<void> {
  for (const device of day.devices) await goToSleep(day, device)
  await wake(day, next)
}

export async function goToSleep({ relays, network, random, timeline }: Day, device: Device): Promise<void> {
  if (device.process() === undefined) return
  network.cutAllOf(device)
  relays.links.cutAllOf(device)
  if (random.chance(0.5)) device.crash()
  else {
    device.failDisk(false)
    await device.stop()
  }
  timeline.note(`${device.name} sleeps`)
}

export async function wake(day: Day, device: Device): Promise<Process> {
  day.timeline.note(`${device.name} wakes`)
  device.failDisk(false)
  return startUp(day, device)
}

const MANNERS: readonly Manner[] = ['honest', 'withholding', 'mute', 'shuffling', 'repeating']
const LETTERS = 'abcdefghijklmnopqrstuvwxyz012345'
const DAY_MS = 24 * 60 * 60 * 1_000
