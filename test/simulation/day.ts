/**
 * One bad day of three to five whole devices, and the quiet evening after it, when everything that was promised must hold. Everything
 * follows from the seed.
 */
import { createSeededRandom } from '@segue/core/testing'
import { deletionAct } from './deletion-acts.ts'
import { createDeletionWorld, type DeletionWorld } from './deletion-world.ts'
import { createDevice, type Device, type Process } from './device.ts'
import { checkDisk, checkEvening, checkHolders } from './evening.ts'
import { createNetwork, type Network } from './network.ts'
import { createOracle, type Oracle, type Violation } from './oracle.ts'
import { createPeople, type People } from './actions.ts'
import { addRelays, changeShift, goToSleep, createRelayWorld, relayMishap, relayTrouble, type RelayWorld } from './relay-day.ts'
import { onSeededPlatform } from './platform.ts'
import { createTimeLine, type TimeLine } from './timeline.ts'
import { createStrangers, meetStrangers, strangerAct, withoutStrangers, type Strangers } from './strangers.ts'
import { trustAct } from './trust-acts.ts'
import { checkTrustEvening } from './trust-evening.ts'
import { createTrustWorld, type TrustWorld } from './trust-world.ts'
import type { SeededRandom } from '@segue/core/testing'

/**
 * apart: devices meet each other and nobody else. relays: they have a relay or two as well. shifts: they have relays, and never two of
 * them are awake at a time. trust: devices are removed, copied and set back, and keys are rotated. adoption: somebody else's devices, with a
 * group and work of their own, come over.
 */
export type DayKind = 'apart' | 'relays' | 'shifts' | 'trust' | 'adoption'

export interface Day {
  readonly kind: DayKind
  readonly random: SeededRandom
  readonly timeline: TimeLine
  readonly devices: Device[]
  readonly network: Network
  readonly relays: RelayWorld
  readonly trust: TrustWorld
  readonly deletions: DeletionWorld
  readonly oracle: Oracle
  readonly people: People
  /** Of another group, with work of their own. */
  readonly strangers: Strangers
  readonly complaints: Map<string, number>
}

export interface DayReport {
  readonly seed: number
  readonly violations: readonly Violation[]
  readonly outcomes: ReadonlyMap<string, number>
  readonly acknowledged: number
  /** Deletions that were promised. */
  readonly deleted: number
  /** Devices that came over from another group. */
  readonly cameOver: number
  readonly complaints: ReadonlyMap<string, number>
  readonly refusals: ReadonlyMap<string, number>
  readonly notes: readonly string[]
}

const NAMES = ['laptop', 'desk', 'phone', 'tablet', 'attic', 'cabin', 'studio', 'kitchen']
const DAY_MS = 24 * 60 * 60 * 1_000

export interface DayOptions {
  readonly steps?: number
  readonly kind?: DayKind
}

export async function liveDay(
  seed: number,
  { kind = 'apart', steps = kind === 'trust' ? TRUST_STEPS : stepsOf(seed) }: DayOptions = {},
): Promise<DayReport> {
  const random = createSeededRandom(seed)
  const timeline = createTimeLine()
  const complaints = new Map<string, number>()
  const trust = createTrustWorld(timeline)
  const deletions = createDeletionWorld()
  const oracle = createOracle(timeline, (...made) => {
    trust.onMade(...made)
    deletions.onMade(...made)
  })
  const devices: Device[] = []
  const network = createNetwork(devices, random.fork(2), timeline)
  const relays = createRelayWorld({ devices, random: random.fork(5), timeline, oracle })
  const strangers: Strangers = createStrangers(devices, random.fork(6), timeline, oracle)
  const people = createPeople(() => strangers.without(devices), random.fork(3), timeline, oracle, relays.canary)
  const day: Day = { kind, random, timeline, devices, network, relays, trust, deletions, oracle, people, strangers, complaints }
  const report = (): DayReport => ({
    seed,
    violations: oracle.violations,
    outcomes: oracle.outcomes,
    acknowledged: oracle.acknowledged.length,
    deleted: deletions.owed.size,
    cameOver: strangers.came.size,
    complaints,
    refusals: people.refusals,
    notes: timeline.notes,
  })
  try {
    await onSeededPlatform(random.fork(4), timeline.clock.now, async () => {
      await liveThrough(day, steps)
      await (kind === 'trust' ? checkTrustEvening(day) : checkEvening(day))
    })
  } catch (error) {
    oracle.violate('I10', `the day itself broke: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  }
  for (const device of devices) if (device.process() !== undefined) device.crash()
  for (const relay of relays.all) relay.crash()
  return report()
}

const TRUST_STEPS = 12
/** So many days of trust have a relay. */
const TRUST_RELAYS = 0.06

function hasRelays({ kind }: Day): boolean {
  return kind === 'relays' || kind === 'shifts'
}

/** One day in ten is long. */
function stepsOf(seed: number): number {
  return seed % 10 === 0 ? 36 : 10
}

export async function startUp(day: Day, device: Device, ...entered: Parameters<Device['start']>): Promise<Process> {
  const process = await device.start(...entered)
  day.oracle.watchHandoffs(process)
  day.relays.watch(process)
  day.trust.watch(process, day.network)
  return process
}

async function liveThrough(day: Day, steps: number): Promise<void> {
  const { random, timeline, devices, network, people, relays } = day
  const { clock } = timeline
  const founder = await join(day)
  if (founder === undefined) throw new Error('the first device founds a group')
  const count = random.chance(0.25) ? 4 : 3
  if (!hasRelays(day)) {
    if (day.kind === 'trust' && random.chance(TRUST_RELAYS)) await addRelays(day, founder)
    while (devices.length < (day.kind === 'adoption' ? count - 1 : count)) await join(day)
    await timeline.during(people.begin(founder))
  } else {
    await timeline.during(people.begin(founder))
    await addRelays(day, founder)
    while (devices.length < count) {
      if (day.kind === 'shifts' && founder.device.process() === undefined) await changeShift(day, founder.device) // an admin
      await join(day)
    }
  }
  if (day.kind === 'adoption') await meetStrangers(day)
  for (let step = 0; step < steps; step++) {
    if (day.kind === 'shifts' && step % 4 === 3) await changeShift(day)
    if (day.kind === 'trust' && random.chance(0.4)) await trustAct(day)
    else if (random.chance(0.22)) await (!hasRelays(day) || (day.kind === 'relays' && random.chance(0.5)) ? mishap(day) : relayMishap(day))
    else if (relays.all.length > 0 && day.kind === 'trust' && random.chance(0.15)) await relayTrouble(day)
    else if (day.kind === 'adoption' && random.chance(0.3)) await strangerAct(day)
    else if (random.chance(0.1)) deletionAct(day)
    else people.act()
    network.dial(0.4)
    relays.links.dial(0.6)
    await clock.advance(random.below(random.chance(0.12) ? 4_000 : 120))
    day.oracle.checkPromises()
    // Whoever was removed and has not heard believes what it believed, and a copy of a machine what the machine believes.
    if (step % 4 === 0 && !day.trust.isAnybodyOut() && day.trust.clones.size === 0) await checkHolders(withoutStrangers(day))
  }
}

/** Another device, added by one that runs, as a pairing would. */
export async function join(day: Day): Promise<Process | undefined> {
  const { random, timeline, devices, network } = day
  const name = NAMES.slice(0, day.kind === 'trust' ? NAMES.length : 5)[devices.length]
  const admins = day.strangers
    .without(devices)
    .flatMap(device => device.process() ?? [])
    .filter(({ device, runtime: { group } }) => group.isActive(device.id) && group.device(device.id)?.role === 'admin')
  const adder = admins.length > 0 ? random.pick(admins) : undefined
  if (name === undefined || (devices.length > 0 && adder === undefined)) return undefined
  const device = makeDevice(day, name)
  if (adder === undefined) {
    devices.push(device)
    return startUp(day, device)
  }
  const { group, keeper } = adder.runtime
  const entry = group.add({ keys: device.keys, role: random.chance(0.5) ? 'admin' : 'member', name, time: timeline.clock.now() })
  await timeline.during(keeper.keep(entry))
  timeline.note(`${adder.device.name} adds ${name}`)
  const process = await startUp(day, device, group)
  network.place(device, adder.device)
  devices.push(device)
  if (day.kind === 'shifts') await goToSleep(day, adder.device)
  return process
}

/** Not started, and not among the devices of the day yet. */
export function makeDevice(day: Day, name: string, twinOf?: Device): Device {
  const { random, timeline, devices, complaints, relays } = day
  const maxOpenDocuments = random.chance(0.3) ? 4 : undefined
  const onComplaint = (device: string, complaint: string): void => {
    const event = complaint.split(' ', 2).join(' ')
    complaints.set(event, (complaints.get(event) ?? 0) + 1)
    timeline.note(`${device} ${complaint}`)
  }
  const forked = random.fork(100 + devices.length)
  const { knock } = relays
  return createDevice({ name, random: forked, timeline, maxOpenDocuments, onComplaint, knock, ...(twinOf === undefined ? {} : { twinOf }) })
}

async function mishap(day: Day): Promise<void> {
  const { random, timeline, devices, network, oracle } = day
  const device = random.pick(devices)
  switch (random.below(10)) {
    case 0:
    case 1:
      return network.cut(0.4)
    case 2:
      return network.partition()
    case 3:
      return network.reunite()
    case 4:
    case 5: {
      timeline.note(`${device.name} crashes`)
      network.cutAllOf(device)
      day.relays.links.cutAllOf(device)
      if (device.process() !== undefined) device.crash()
      if (random.chance(0.5)) await timeline.clock.advance(random.below(3_000))
      device.failDisk(false)
      await checkDisk(day, await startUp(day, device))
      return
    }
    case 6:
      timeline.note(`${device.name}: disk fails`)
      return device.failDisk(true)
    case 7:
      for (const each of devices) each.failDisk(false)
      return
    case 8:
      device.offByMs = random.pick([-DAY_MS, DAY_MS, 0, 5 * 60_000])
      timeline.note(`${device.name}: clock off by ${device.offByMs} ms`)
      return
    default:
      try {
        for (const each of devices) each.failDisk(false)
        await join(day)
      } catch (error) {
        oracle.violate('I10', `adding a device: ${String(error)}`)
      }
  }
}
