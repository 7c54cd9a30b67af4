/** The cast of the tests: devices with keys, nodes on 127.0.0.1 that write down what happens to them, and a clock that stands still. */
import '../src/polyfills.ts'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { createSubject, deviceIdOf } from '@segue/core/sealed'
import type { Channel, CloseCode, DeviceId, Observable } from '@segue/core/sealed'
import type { Clock, DeviceLink } from '@segue/core/ports'
import { createNode } from '../src/node.ts'
import type { NetNode, NodeOptions } from '../src/net-node.ts'

export interface Device {
  readonly id: DeviceId
  readonly signing: { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array }
}

export interface Arrival {
  readonly channel: Channel
  readonly frame: Uint8Array
}

export interface Recorded {
  readonly node: NetNode
  readonly device: Device
  /** Frames in the order they arrived. */
  readonly arrivals: Observable<readonly Arrival[]>
  /** Links in the order they came up. */
  readonly ups: Observable<readonly DeviceLink[]>
  readonly closes: Observable<readonly CloseCode[]>
  /** Decides what the host does with a frame; by default nothing. */
  onFrame: (channel: Channel, frame: Uint8Array) => Promise<void> | void
  /** Whom the gate admits. */
  readonly admits: Set<DeviceId>
  readonly refusals: CloseCode[]
}

export async function createDevice(): Promise<Device> {
  const key = await generateKeyPair('Ed25519')
  return { id: deviceIdOf(key.publicKey.raw), signing: { publicKey: key.publicKey.raw, secretKey: key.raw } }
}

/** Two devices, the one with the smaller id first. */
export async function createPair(): Promise<readonly [Device, Device]> {
  const [a, b] = [await createDevice(), await createDevice()]
  return a.id < b.id ? [a, b] : [b, a]
}

const running: NetNode[] = []

export async function startNode(device: Device, admits: readonly Device[], options: Partial<NodeOptions> = {}): Promise<Recorded> {
  const arrivals = createSubject<readonly Arrival[]>([])
  const ups = createSubject<readonly DeviceLink[]>([])
  const closes = createSubject<readonly CloseCode[]>([])
  const admitted = new Set(admits.map(({ id }) => id))
  const refusals: CloseCode[] = []
  const recorded: Omit<Recorded, 'node'> = {
    device,
    arrivals,
    ups,
    closes,
    admits: admitted,
    refusals,
    onFrame: () => undefined,
  }
  const node = await createNode({
    signing: device.signing,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    onRefused: (_peer, code) => refusals.push(code),
    ...options,
    host: {
      mayConnect: peer => admitted.has(peer),
      onLink(link) {
        ups.set([...ups.peek(), link])
        return {
          onFrame(channel, frame) {
            arrivals.set([...arrivals.peek(), { channel, frame }])
            return recorded.onFrame(channel, frame)
          },
          onClosed: code => closes.set([...closes.peek(), code]),
        }
      },
    },
  })
  running.push(node)
  return Object.assign(recorded, { node })
}

/** For afterEach. */
export async function stopAll(): Promise<void> {
  await Promise.all(running.splice(0).map(node => node.close()))
}

export function knowing(...others: readonly Recorded[]): ReadonlyMap<DeviceId, readonly string[]> {
  return new Map(others.map(({ node }) => [node.id, node.addresses.peek()]))
}

export async function linkTo(from: Recorded, to: Device): Promise<DeviceLink> {
  const links = await from.node.links.when(map => map.has(to.id))
  return links.get(to.id) as DeviceLink
}

export interface ManualClock extends Clock {
  advance(ms: number): void
}

export function createManualClock(): ManualClock {
  let now = 0
  const timers = new Set<{ at: number; task: () => void }>()
  const after = (ms: number, task: () => void): (() => void) => {
    const timer = { at: now + ms, task }
    timers.add(timer)
    return () => timers.delete(timer)
  }
  return {
    now: () => now,
    monotonic: () => now,
    after,
    sleep: (ms, { signal } = {}) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted()
        const cancel = after(ms, resolve)
        signal?.addEventListener('abort', () => (cancel(), reject(signal.reason)), { once: true })
      }),
    advance(ms) {
      const until = now + ms
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)
        if (next === undefined) break
        timers.delete(next)
        now = next.at
        next.task()
      }
      now = until
    },
  }
}
