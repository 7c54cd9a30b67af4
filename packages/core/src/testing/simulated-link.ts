/**
 * Two ends of a link between devices, in memory and virtual time. Reliable or dead, like the real one: frames of a channel
 * arrive whole, in order, once, after `latencyMs`; or the link dies, and whatever was under way is gone.
 */
import { SegueError } from '../lib/errors.ts'
import type { DeviceId } from '../lib/ids.ts'
import { MIB } from '../lib/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { DeviceLink, DeviceLinkHandler, LinkPath } from '../ports/device-link.ts'
import { CHANNELS, type Channel } from '../wire/channels.ts'
import type { CloseCode } from '../wire/close-codes.ts'
import { MAX_FRAME_BYTES } from '../wire/limits.ts'

export interface SimulatedLink {
  readonly isOpen: () => boolean
  /** It dies without a word: both ends hear `lost`. */
  readonly cut: () => void
  /** What each end has sent so far: [by a, by b]. */
  readonly sent: readonly [Traffic, Traffic]
  /** The code the link was closed with. */
  readonly closedWith: () => CloseCode | undefined
}

export interface Traffic {
  readonly frames: number
  readonly bytes: number
}

export interface SimulatedLinkEnd {
  readonly id: DeviceId
  /** Called once, with this end's link; a throw refuses the link. */
  readonly accept: (link: DeviceLink) => DeviceLinkHandler
}

export interface SimulatedLinkOptions {
  readonly clock: Clock
  /** One way. A function is asked for every frame; order within a channel is kept. */
  readonly latencyMs?: number | (() => number)
  /** Per direction and channel together; unlimited without it. */
  readonly bytesPerSecond?: number
  readonly path?: LinkPath
  /** Sees every frame as it is handed over; for counting and for canaries. */
  readonly onFrame?: (from: DeviceId, to: DeviceId, channel: Channel, frame: Uint8Array) => void
}

/** `a` dialled. Both ends' `accept` run at once. */
export function linkDevices(a: SimulatedLinkEnd, b: SimulatedLinkEnd, options: SimulatedLinkOptions): SimulatedLink {
  const { clock, latencyMs = 0, bytesPerSecond, path = 'lan' } = options
  const traffic: [{ frames: number; bytes: number }, { frames: number; bytes: number }] = [
    { frames: 0, bytes: 0 },
    { frames: 0, bytes: 0 },
  ]
  const controllers = [new AbortController(), new AbortController()] as const
  const handlers: [DeviceLinkHandler | undefined, DeviceLinkHandler | undefined] = [undefined, undefined]
  const ends = [a, b] as const
  const wires = [createWires(), createWires()] as const
  const busyUntil: [number, number] = [0, 0]
  let closedWith: CloseCode | undefined

  const isOpen = (): boolean => closedWith === undefined
  const die = (code: CloseCode): void => {
    if (closedWith !== undefined) return
    closedWith = code
    for (const side of SIDES) {
      for (const channel of CHANNELS) {
        for (const frame of wires[side][channel].queue.splice(0)) frame.taken(new SegueError('LINK_CLOSED'))
      }
    }
    for (const side of SIDES) {
      controllers[side].abort(new SegueError('LINK_CLOSED'))
      const handler = handlers[side]
      if (handler !== undefined) queueMicrotask(() => handler.onClosed(code))
    }
  }
  const deliver = async (side: Side, channel: Channel): Promise<void> => {
    const wire = wires[side][channel]
    if (wire.isBusy) return
    wire.isBusy = true
    for (let frame = wire.queue[0]; frame !== undefined && isOpen(); frame = wire.queue[0]) {
      const waitMs = frame.dueAt - clock.monotonic()
      if (waitMs > 0) await clock.sleep(waitMs)
      const handler = handlers[other(side)]
      if (!isOpen() || handler === undefined) break
      wire.queue.shift()
      wire.bytes -= frame.bytes.length
      frame.taken(undefined)
      options.onFrame?.(ends[side].id, ends[other(side)].id, channel, frame.bytes)
      try {
        await handler.onFrame(channel, frame.bytes)
      } catch {
        die('internal-error') // as the port promises for a handler that rejects
      }
    }
    wire.isBusy = false
  }
  const linkOf = (side: Side): DeviceLink => ({
    peer: ends[other(side)].id,
    path,
    outbound: side === 0,
    closed: controllers[side].signal,
    send: (channel, bytes) =>
      new Promise((resolve, reject) => {
        if (bytes.length > MAX_FRAME_BYTES) throw new RangeError('a frame over MAX_FRAME_BYTES')
        if (closedWith !== undefined) return reject(new SegueError('LINK_CLOSED'))
        traffic[side].frames++
        traffic[side].bytes += bytes.length
        const latency = typeof latencyMs === 'function' ? latencyMs() : latencyMs
        const sendingMs = bytesPerSecond === undefined ? 0 : (1_000 * bytes.length) / bytesPerSecond
        busyUntil[side] = Math.max(busyUntil[side], clock.monotonic()) + sendingMs
        const wire = wires[side][channel]
        const isRoomy = wire.bytes < BUFFER_BYTES
        const taken = (error: unknown): void => (error === undefined ? resolve() : reject(error))
        wire.queue.push({ bytes: bytes.slice(), dueAt: busyUntil[side] + latency, taken: isRoomy ? () => undefined : taken })
        wire.bytes += bytes.length
        if (isRoomy) resolve()
        void deliver(side, channel)
      }),
    pending: channel => Math.max(0, wires[side][channel].bytes - BUFFER_BYTES),
    async close(code) {
      die(code)
    },
  })

  for (const side of SIDES) handlers[side] = ends[side].accept(linkOf(side))
  for (const side of SIDES) for (const channel of CHANNELS) void deliver(side, channel)
  return { isOpen, cut: () => die('lost'), sent: traffic, closedWith: () => closedWith }
}

type Side = 0 | 1
interface Wire {
  readonly queue: { readonly bytes: Uint8Array; readonly dueAt: number; readonly taken: (error: unknown) => void }[]
  bytes: number
  isBusy: boolean
}

const SIDES: readonly Side[] = [0, 1]
/** What the channel takes before it makes the sender wait. */
const BUFFER_BYTES: number = MIB

function other(side: Side): Side {
  return side === 0 ? 1 : 0
}

function createWires(): Record<Channel, Wire> {
  const wire = (): Wire => ({ queue: [], bytes: 0, isBusy: false })
  return { 'sync-live': wire(), 'sync-bulk': wire(), control: wire(), ephemeral: wire() }
}
