/**
 * Devices of another group, one or two, with work of their own: they come over with all of it, one after the other, by the engine's own
 * way; some lose power in the middle. Whatever happens, each is in one group or the other, whole.
 */
import { documentIdOf, type Group } from '@segue/core'
import type { SeededRandom } from '@segue/core/testing'
import { createPeople, type People } from './actions.ts'
import { makeDevice, startUp, type Day } from './day.ts'
import { deletedFor } from './deletion-world.ts'
import type { Device, Process, Trouble } from './device.ts'
import { checkDisk, lackingOn, running } from './evening.ts'
import type { Oracle } from './oracle.ts'
import type { TimeLine } from './timeline.ts'

export interface Strangers {
  readonly all: Set<Device>
  /** Those that came over. */
  readonly came: Set<Device['id']>
  readonly people: People
  without(devices: readonly Device[]): readonly Device[]
}

export function createStrangers(devices: readonly Device[], random: SeededRandom, timeline: TimeLine, oracle: Oracle): Strangers {
  const all = new Set<Device>()
  return {
    all,
    came: new Set(),
    people: createPeople(() => devices.filter(device => all.has(device)), random, timeline, oracle, 'strange'),
    without: some => (all.size === 0 ? some : some.filter(device => !all.has(device))),
  }
}

export function withoutStrangers(day: Day): Day {
  return day.strangers.all.size === 0 ? day : { ...day, devices: [...day.strangers.without(day.devices)] }
}

/** A group of its own: a device alone, or two. */
export async function meetStrangers(day: Day): Promise<void> {
  const { devices, strangers, timeline, random } = day
  const cabin = makeDevice(day, 'cabin')
  strangers.all.add(cabin)
  devices.push(cabin)
  const { runtime } = await startUp(day, cabin)
  if (random.chance(0.6)) {
    const studio = makeDevice(day, 'studio')
    const role = random.chance(0.5) ? 'admin' : 'member'
    await timeline.during(runtime.keeper.keep(runtime.group.add({ keys: studio.keys, role, name: 'studio', time: timeline.clock.now() })))
    strangers.all.add(studio)
    devices.push(studio)
    await startUp(day, studio, runtime.group)
  }
  await timeline.during(strangers.people.begin(running([cabin])[0] as Process))
  timeline.note(`strangers: ${[...strangers.all].map(({ name }) => name).join(' ')}`)
}

/** They go on with their own work, or one of them comes over. */
export async function strangerAct(day: Day): Promise<void> {
  const { strangers, random, devices } = day
  const [stranger] = random.shuffle(running([...strangers.all]))
  if (stranger === undefined || random.chance(0.5)) return strangers.people.act()
  const hosts = running(strangers.without(devices)).filter(({ device, runtime }) => runtime.group.device(device.id)?.role === 'admin')
  if (hosts.length === 0) return
  for (const device of devices) if (random.chance(0.7)) device.failDisk(false)
  const trouble: Trouble = { at: random.below(24), kind: random.pick(['power', 'power', 'full', 'once'] as const) }
  await bring(day, stranger, random.pick(hosts).runtime, random.chance(0.7) ? trouble : undefined)
}

/** In the evening all come over, whatever became of it during the day. Nothing of theirs may be missing before and after. */
export async function comeOver(day: Day): Promise<void> {
  const { strangers, devices, oracle } = day
  for (const stranger of running([...strangers.all])) {
    await checkDisk(day, stranger)
    const host = running(strangers.without(devices)).find(({ device, runtime }) => runtime.group.device(device.id)?.role === 'admin')
    if (host !== undefined) await bring(day, stranger, host.runtime, undefined)
    if (strangers.all.has(stranger.device)) oracle.violate('adopted', `${stranger.device.name} could not come over on a quiet evening`)
  }
  // What a failed write left over is brought to its end when it starts again.
  for (const device of devices.filter(({ id }) => strangers.came.has(id))) {
    if (!(await device.isAdopting())) continue
    day.network.cutAllOf(device)
    device.crash()
    await startUp(day, device)
  }
}

/** Both sides' sessions are listed by everybody, and nothing is left of the way. */
export async function checkStrangers({ devices, people, oracle }: Day): Promise<void> {
  for (const process of running(devices)) {
    const listed = new Set(process.runtime.index.sessions.peek().map(({ id }) => id))
    const gone = deletedFor(process)
    const lacking = people.sessions.filter(id => !listed.has(id) && !gone.has(documentIdOf(id)))
    if (lacking.length > 0) oracle.violate('adopted', `${process.device.name} does not list ${lacking.map(id => id.slice(0, 6)).join(' ')}`)
    if (await process.device.isAdopting()) oracle.violate('adopted', `${process.device.name} still has copies, or a plan`)
  }
}

async function bring(day: Day, stranger: Process, host: Process['runtime'], trouble: Trouble | undefined): Promise<void> {
  const { timeline, network, strangers, people, oracle } = day
  const { device } = stranger
  const { note, clock } = timeline
  const { group, keeper } = host
  const own = stranger.runtime.group.id
  try {
    if (!group.isActive(device.id)) {
      await timeline.during(keeper.keep(group.add({ keys: device.keys, role: 'member', name: device.name, time: clock.now() })))
    }
    note(`${device.name} comes over${trouble === undefined ? '' : `; trouble: ${trouble.kind} at write ${trouble.at}`}`)
    follow(day, await device.adopt(group, { trouble, onLeaving: () => network.cutAllOf(device) }))
  } catch (error) {
    note(`${device.name} came to ${error instanceof Error ? error.message : String(error)}`)
  }
  if (trouble !== undefined) device.failDisk(false)
  if (device.process() === undefined) {
    network.cutAllOf(device)
    device.failDisk(false)
    await startUp(day, device)
  }
  const [process] = running([device])
  if (process === undefined) return
  const now = process.runtime.group.id
  note(`${device.name} is ${now === own ? 'where it was' : now === group.id ? 'one of them' : 'lost'}`)
  if (now === group.id) {
    strangers.all.delete(device)
    strangers.came.add(device.id)
    people.welcome(strangers.people)
  } else if (now !== own) oracle.violate('adopted', `${device.name} is in neither group`)
  else if (process.runtime.group.removalOf(device.id) !== undefined) oracle.violate('adopted', `${device.name} stayed, and took itself out`)
  await checkWhole(day, process, group)
}

/** As whoever starts does. */
function follow(day: Day, process: Process): void {
  day.oracle.watchHandoffs(process)
  day.relays.watch(process)
  day.trust.watch(process, day.network)
}

/** Whichever group it is in: all that was acknowledged on it is there, at once. */
async function checkWhole({ oracle, timeline }: Day, process: Process, joined: Group): Promise<void> {
  const { device, runtime } = process
  const gone = deletedFor(process)
  const own = oracle.acknowledged.filter(each => each.device === device.id && !gone.has(each.document))
  const lacking = await timeline.during(lackingOn(process, own))
  const where = runtime.group.id === joined.id ? 'came over' : 'stayed'
  if (lacking.length > 0) oracle.violate('adopted', `${device.name} ${where} without ${lacking.join(' ')}`)
}
