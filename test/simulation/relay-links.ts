/** Links between devices and relays: dialled by devices that know the relay, taken by relays that know the device. */
import { linkDevices, type SeededRandom, type SimulatedLink } from '@segue/core/testing'
import type { Device, Process } from './device.ts'
import type { Relay } from './relay.ts'
import type { TimeLine } from './timeline.ts'

export interface RelayLinks {
  /** Tries each pair that could have a link and has none, each with this probability. */
  dial(probability: number): void
  /** Each link dies with this probability. */
  cut(probability: number): void
  cutAllOf(end: Device | Relay): void
  /** Whom the relay does not admit any more goes, as its node does it. */
  expel(relay: Relay): void
  isLinked(device: Device, relay: Relay): boolean
  openLinks(): number
  /** Frames handed over so far. */
  frames(): number
  surprises(): readonly string[]
}

export interface RelayLinksParts {
  readonly devices: readonly Device[]
  readonly relays: readonly Relay[]
  readonly random: SeededRandom
  readonly timeline: TimeLine
  /** Every frame, both ways. */
  readonly onFrame: (frame: Uint8Array) => void
}

export function createRelayLinks({ devices, relays, random, timeline, onFrame }: RelayLinksParts): RelayLinks {
  const { clock, note } = timeline
  const links = new Map<string, { readonly link: SimulatedLink; readonly process: Process; readonly relay: Relay }>()
  const past: { readonly name: string; readonly link: SimulatedLink }[] = []
  let frames = 0

  const keyOf = (device: Device, relay: Relay): string => `${device.name}-${relay.name}`
  const isLinked = (device: Device, relay: Relay): boolean => links.get(keyOf(device, relay))?.link.isOpen() === true
  const connect = (process: Process, relay: Relay): void => {
    const { device } = process
    const host = relay.hostFor(device.id)
    if (host === undefined || !process.mayConnect(relay.id)) return
    if (!host.mayConnect(device.id)) return process.onRefusedBy(relay.id)
    const isCopy = relay.isDeceiving(device.id)
    // Of two machines under one key the last one to come has the link.
    for (const each of links.values()) if (each.relay === relay && each.process.device.id === device.id) each.link.cut()
    const link = linkDevices(
      { id: device.id, accept: end => process.accept(end) },
      {
        id: relay.id,
        accept(end) {
          const mannered = relay.manners.on(end, { isCopy })
          const handler = host.onLink(mannered.link)
          return {
            onFrame(channel, frame) {
              mannered.onHeard(frame)
              return handler.onFrame(channel, frame)
            },
            onClosed: code => handler.onClosed(code),
          }
        },
      },
      {
        clock,
        latencyMs: () => 1 + random.below(60),
        path: 'direct',
        onFrame(_from, _to, _channel, frame) {
          frames++
          onFrame(frame)
        },
      },
    )
    links.set(keyOf(device, relay), { link, process, relay })
    past.push({ name: keyOf(device, relay), link })
    note(`link ${keyOf(device, relay)}${isCopy ? ' (shown an old state)' : ''}`)
  }

  return {
    dial(probability) {
      for (const device of devices) {
        for (const relay of relays) {
          const process = device.process()
          if (process !== undefined && !isLinked(device, relay) && random.chance(probability)) connect(process, relay)
        }
      }
    },
    cut(probability) {
      for (const { link } of links.values()) if (link.isOpen() && random.chance(probability)) link.cut()
    },
    cutAllOf(end) {
      for (const { link, process, relay } of links.values()) if (process.device === end || relay === end) link.cut()
    },
    expel(relay) {
      for (const each of links.values()) {
        if (each.relay === relay && relay.hostFor(each.process.device.id)?.mayConnect(each.process.device.id) === false) each.link.cut()
      }
    },
    isLinked,
    openLinks: () => [...links.values()].filter(({ link }) => link.isOpen()).length,
    frames: () => frames,
    surprises: () =>
      past.flatMap(({ name, link }) => (link.isOpen() || link.closedWith() === 'lost' ? [] : [`${name}: ${link.closedWith()}`])),
  }
}
