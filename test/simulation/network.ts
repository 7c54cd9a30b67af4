/**
 * The links of a simulated day: they die, partition and come back by themselves, as the product's reconnect loop does it. Who is not
 * known yet at the other end proves its membership first. Reliable or dead: nothing is lost on a link that lives.
 */
import { callOnRemoved, proveMembership, receiveProof } from '@segue/core'
import { createPairingLinks, linkDevices, type SeededRandom, type SimulatedLink } from '@segue/core/testing'
import type { Device, Process } from './device.ts'
import type { TimeLine } from './timeline.ts'

export interface Network {
  /** Tries each pair that could have a link and has none, each with this probability. */
  dial(probability: number): void
  /** Each link dies with this probability. */
  cut(probability: number): void
  cutAllOf(device: Device): void
  /** Whoever learned that a device is out has no link to it from then on, as the engine does it. */
  expel(): void
  /** Two halves that do not reach each other. */
  partition(): void
  /** Nobody reaches anybody. */
  scatter(): void
  reunite(): void
  /** A new device is where the one that added it is. */
  place(device: Device, beside: Device): void
  /** Frames handed over so far, of all links. */
  frames(): number
  /** Of all devices, or between these. */
  openLinks(among?: readonly Device[]): number
  /** Links that an end closed by itself, with its code; a healthy product has none. */
  surprises(): readonly string[]
  /** Proofs of membership that were not taken; where nobody is ever out there are none. */
  refusedProofs(): readonly string[]
}

export function createNetwork(devices: readonly Device[], random: SeededRandom, { clock, note }: TimeLine): Network {
  const links = new Map<string, { readonly link: SimulatedLink; readonly ends: readonly [Process, Process] }>()
  const past: { readonly name: string; readonly link: SimulatedLink }[] = []
  const refusedProofs = new Set<string>()
  /** Once a run, of either. */
  const called = new WeakMap<Process, WeakSet<Process>>()
  /** Those that are out, and who knows that they know. */
  const hasTold = new WeakMap<Process, Process>()
  let sideOf = new Map<Device, number>()
  let frames = 0

  const isApart = (a: Device, b: Device): boolean => sideOf.get(a) !== sideOf.get(b)
  const twinsOf = (a: Device): readonly Device[] => devices.filter(({ id }, i) => id === a.id && devices[i] !== a)
  const isOut = ({ device, runtime: { group } }: Process): boolean => group.removalOf(device.id) !== undefined
  const keyOf = (a: Device, b: Device): string => [a.name, b.name].sort().join('-')
  const connect = (dialler: Process, other: Process): void => {
    const [a, b] = [dialler.device, other.device]
    // Of two machines under one key the last one to come has the link.
    for (const one of [a, b]) for (const twin of twinsOf(one)) links.get(keyOf(twin, one === a ? b : a))?.link.cut()
    const link = linkDevices(
      { id: a.id, accept: end => dialler.accept(end) },
      { id: b.id, accept: end => other.accept(end) },
      { clock, latencyMs: () => 1 + random.below(60), onFrame: () => void frames++ },
    )
    links.set(keyOf(a, b), { link, ends: [dialler, other] })
    past.push({ name: keyOf(a, b), link })
    note(`link ${a.name}-${b.name}`)
  }
  /** As engine/members.ts does it when a dial was turned away, and engine/removal/courtesy.ts and own-removal.ts where nobody dials. */
  const prove = (newcomer: Process, member: Process, show = proveMembership): void => {
    const told = hasTold.get(newcomer)?.device.id
    if (isOut(newcomer) && told !== undefined && newcomer.runtime.group.isActive(told)) return
    const pair = createPairingLinks({ a: newcomer.device.id, b: member.device.id })
    note(`${newcomer.device.name} ${show === proveMembership ? 'proves itself to' : 'calls on'} ${member.device.name}`)
    const shown = show(pair.a, newcomer.runtime.group).finally(() => void pair.a.close())
    shown.then(
      proven => !proven.ok && proven.error === 'DEVICE_REMOVED' && hasTold.set(newcomer, member),
      () => undefined,
    )
    for (const talk of [shown, receiveProof(pair.b, member.runtime.group).finally(() => void pair.b.close())]) {
      talk.then(
        proven => proven.ok || refusedProofs.add(`proof of ${newcomer.device.name} to ${member.device.name}: ${proven.error}`),
        () => undefined, // a process ended meanwhile
      )
    }
  }
  const isLinked = (a: Device, b: Device): boolean => {
    const known = links.get(keyOf(a, b))
    return known !== undefined && known.link.isOpen()
  }

  return {
    dial(probability) {
      for (const [i, a] of devices.entries()) {
        for (const b of devices.slice(i + 1)) {
          if (a.id === b.id || isApart(a, b) || isLinked(a, b) || !random.chance(probability)) continue
          const ends = [a.process(), b.process()]
          if (random.chance(0.5)) ends.reverse()
          const [dialler, other] = ends
          if (dialler === undefined || other === undefined) continue
          const [knows, isKnown] = [dialler.mayConnect(other.device.id), other.mayConnect(dialler.device.id)]
          if (isOut(dialler)) {
            if (knows) prove(dialler, other) // it dials nobody but to say that it heard
          } else if (knows && isKnown) connect(dialler, other)
          else if (knows) prove(dialler, other)
          else if (isKnown) prove(other, dialler)
          else if (dialler.runtime.group.removalOf(other.device.id) !== undefined && called.get(dialler)?.has(other) !== true) {
            called.set(dialler, (called.get(dialler) ?? new WeakSet()).add(other))
            prove(dialler, other, callOnRemoved)
          }
        }
      }
    },
    cut(probability) {
      for (const { link } of links.values()) if (link.isOpen() && random.chance(probability)) link.cut()
    },
    cutAllOf(device) {
      for (const { link, ends } of links.values()) if (ends.some(end => end.device === device)) link.cut()
    },
    expel() {
      for (const { link, ends } of links.values()) {
        const [one, other] = ends
        if (!one.mayConnect(other.device.id) || !other.mayConnect(one.device.id)) link.cut()
      }
    },
    partition() {
      sideOf = new Map(devices.map(device => [device, random.below(2)]))
      note(`partition ${devices.map(device => `${device.name}:${sideOf.get(device)}`).join(' ')}`)
      for (const { link, ends } of links.values()) if (isApart(ends[0].device, ends[1].device)) link.cut()
    },
    scatter() {
      sideOf = new Map(devices.map((device, side) => [device, side]))
      for (const { link } of links.values()) link.cut()
    },
    reunite: () => void (sideOf = new Map()),
    place(device, beside) {
      const side = sideOf.get(beside)
      if (side !== undefined) sideOf.set(device, side)
    },
    frames: () => frames,
    openLinks: (among = devices) =>
      [...links.values()].filter(({ link, ends }) => link.isOpen() && ends.every(end => among.includes(end.device))).length,
    surprises: () =>
      past.flatMap(({ name, link }) => (link.isOpen() || link.closedWith() === 'lost' ? [] : [`${name}: ${link.closedWith()}`])),
    refusedProofs: () => [...refusedProofs],
  }
}
