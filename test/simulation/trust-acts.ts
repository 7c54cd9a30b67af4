/** What befalls the group of a day of trust: removals at once and alone, roles, rotations, disks that go back in time, machines copied. */
import { isSegueError, type DeviceId } from '@segue/core'
import { join, makeDevice, startUp, type Day } from './day.ts'
import type { Device, Process } from './device.ts'
import { lackingOn } from './evening.ts'
import type { Acknowledged } from './oracle.ts'

export async function trustAct(day: Day): Promise<void> {
  const { random, timeline, devices, network } = day
  const process = pick(day, () => true)
  if (process === undefined) return
  const { note } = timeline
  switch (random.below(14)) {
    case 0:
    case 1:
    case 2: {
      const admin = pick(day, isAdmin)
      const target = admin && pickOther(day, admin)
      return admin && target && remove(day, admin, target)
    }
    case 3:
      return remove(day, process, process.device.id)
    case 4:
      return removeAtOnce(day)
    case 5: {
      const admin = pick(day, isAdmin)
      const target = admin && pickOther(day, admin)
      if (admin === undefined || target === undefined) return
      const role = random.chance(0.6) ? 'admin' : 'member'
      return attempt(day, admin, `makes ${nameIn(admin, target)} ${role}`, () =>
        admin.runtime.group.setRole(target, role, nowOn(day, admin)),
      )
    }
    case 6:
      return attempt(day, process, 'rotates', () => process.runtime.group.rotate({ time: nowOn(day, process) }))
    case 7:
    case 8: {
      // until it wakes by chance, or in the evening
      const { device } = process
      note(`${device.name} sleeps`)
      network.cutAllOf(device)
      day.relays.links.cutAllOf(device)
      device.crash()
      return
    }
    case 9: {
      const sleeper = devices.find(device => device.process() === undefined)
      sleeper?.failDisk(false) // on a full one its store would not open
      if (sleeper !== undefined) await startUp(day, sleeper)
      return
    }
    case 10:
      for (const device of devices) day.trust.images.set(device, device.image())
      return note('all disks are copied')
    case 11:
      return goBack(day, process.device)
    case 12:
      return copyMachine(day, process.device)
    default:
      for (const device of devices) device.failDisk(false)
      await join(day)
  }
}

/** Two who do not hear each other: both remove the same one, or each other; or three in a circle. */
async function removeAtOnce(day: Day): Promise<void> {
  const { random, network, timeline } = day
  const admins = random.shuffle(day.devices.flatMap(device => device.process() ?? []).filter(isAdmin))
  const [first, second, third] = admins
  if (first === undefined || second === undefined || first.device.id === second.device.id) return
  network.scatter()
  const same = pickOther(day, first)
  const kind = random.below(3)
  if (kind === 0 && same !== undefined && same !== second.device.id) {
    await remove(day, first, same)
    await remove(day, second, same)
  } else if (kind === 1 && third !== undefined) {
    await remove(day, first, second.device.id)
    await remove(day, second, third.device.id)
    await remove(day, third, first.device.id)
  } else {
    await remove(day, first, second.device.id)
    await remove(day, second, first.device.id)
  }
  await timeline.clock.advance(random.below(3_000))
  if (random.chance(0.7)) network.reunite()
}

function remove(day: Day, process: Process, target: DeviceId): Promise<void> {
  const { group } = process.runtime
  // Two stay, so that there is something to agree on.
  const left = group.state.peek().devices.filter(({ id, active }) => active && id !== target && !day.trust.isTwin(id))
  if (left.length < 2) return Promise.resolve()
  return attempt(day, process, `removes ${nameIn(process, target)}`, () => group.remove(target, { time: nowOn(day, process) }))
}

async function attempt(
  day: Day,
  process: Process,
  what: string,
  write: () => Parameters<Process['runtime']['keeper']['keep']>[0],
): Promise<void> {
  const { timeline, oracle } = day
  try {
    const entry = write()
    timeline.note(`${process.device.name} ${what}`)
    const keeping = process.runtime.keeper.keep(entry)
    keeping.catch(() => undefined) // its disk takes nothing, or its process ended
    oracle.promised(process, what, keeping, Number.POSITIVE_INFINITY)
    await timeline.clock.advance(1)
  } catch (error) {
    if (!isSegueError(error)) throw error
    timeline.note(`${process.device.name} ${what}: ${error.code}`)
  }
}

/** What it acknowledged since its disk was copied is gone, but for what others have. */
async function goBack(day: Day, device: Device): Promise<void> {
  const { trust, oracle, network, timeline } = day
  for (const each of day.devices) each.failDisk(false)
  const image = trust.images.get(device)
  if (image === undefined || trust.isTwin(device.id)) return
  const own = oracle.acknowledged.filter(each => each.device === device.id)
  const holders = new Map<Acknowledged, Set<DeviceId>>(own.map(each => [each, new Set()]))
  for (const other of day.devices.flatMap(each => (each === device ? [] : (each.process() ?? [])))) {
    const shown: Acknowledged[] = []
    for (const each of own) if ((await lackingOn(other, [each])).length === 0) shown.push(each)
    // What it shows it may not have on its disk yet, and if it crashes before, nobody has it.
    const stored = other.runtime.replica.settled().then(
      () => true,
      () => false,
    )
    if (await timeline.during(stored)) for (const each of shown) holders.get(each)?.add(other.device.id)
  }
  const before = device.process()
  if (before !== undefined) await timeline.during(trust.noteBuiltOn(before))
  timeline.note(`${device.name} is set back`)
  network.cutAllOf(device)
  day.relays.links.cutAllOf(device)
  if (device.process() !== undefined) device.crash()
  device.setBack({ chunks: image.chunks.copy(), records: image.records.copy() })
  trust.setBack(device, holders)
  await startUp(day, device)
}

async function copyMachine(day: Day, original: Device): Promise<void> {
  const { trust, devices, network, timeline } = day
  if (trust.isTwin(original.id) || trust.wentBack.has(original.id) || trust.clones.size > 0) return
  timeline.note(`${original.name} is copied`)
  const clone = makeDevice(day, `${original.name}'s copy`, original)
  trust.clones.add(clone)
  await startUp(day, clone)
  network.place(clone, original)
  devices.push(clone)
}

function pick(day: Day, holds: (process: Process) => boolean): Process | undefined {
  const all = day.devices.flatMap(device => device.process() ?? []).filter(holds)
  return all.length === 0 ? undefined : day.random.pick(all)
}

function isAdmin({ device, runtime }: Process): boolean {
  const self = runtime.group.device(device.id)
  return self?.active === true && self.role === 'admin'
}

function pickOther({ random }: Day, { device, runtime }: Process): DeviceId | undefined {
  const others = runtime.group.state.peek().devices.filter(({ id, active }) => active && id !== device.id)
  return others.length === 0 ? undefined : random.pick(others).id
}

function nameIn({ runtime }: Process, device: DeviceId): string {
  return runtime.group.device(device)?.name ?? 'somebody'
}

function nowOn({ timeline }: Day, { device }: Process): number {
  return timeline.clock.now() + device.offByMs
}
