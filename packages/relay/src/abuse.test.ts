/** A relay process under people who mean no good, while two honest devices work through it. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import path from 'node:path'
import { createIdentity, encodeRelayRequest, RELAY_PROTOCOL } from '@segue/core'
import type { DeviceLink } from '@segue/core/ports'
import { createNode } from '@segue/net'
import { expect, onTestFinished, test } from 'vitest'
import {
  chunks,
  listOf,
  mailboxId,
  random,
  scratch,
  shareMailbox,
  shareMailboxAt,
  startDevice,
  startRelay,
  type TestDevice,
} from './testing/cast.ts'
import { spawnRelay } from '../test-support/relay-process.ts'

const MAILBOX = mailboxId(1)
const MIB = 1_024 * 1_024

test(
  '[B17] 1,000 strangers, malformed frames, and a reader that never reads: others are served, memory stays bounded',
  { timeout: 180_000 },
  async () => {
    const relay = await spawnRelay().go({
      directory: path.join(await scratch(), 'data'),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      isFirst: true,
      ops: { host: '127.0.0.1', port: 0 },
    })
    const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
    const slow = createIdentity({ name: 'slow', random })
    await shareMailboxAt(relay, relay.invite ?? '', MAILBOX, [laptop, desk])
    await laptop.ask(relay, listOf(MAILBOX, 2, [laptop, desk, slow], laptop))
    for (const device of [laptop, desk]) device.connect(relay)
    const residentMiB = async (): Promise<number> => {
      const text = await (await fetch(`http://${relay.opsAddress}/metrics`)).text()
      return Math.round(Number(/^segue_relay_process_resident_memory_bytes (\d+)/m.exec(text)?.[1]) / MIB)
    }
    let said = 0
    const stillServed = async (): Promise<void> => {
      const word = chunks.commit('conversation', `word ${said++}`)
      await laptop.replica.add([word])
      await desk.has(word)
    }
    await stillServed()
    const before = await residentMiB()

    const port = Number(/tcp\/(\d+)/.exec(relay.addresses[0] ?? '')?.[1])
    for (let batch = 0; batch < 14; batch++) {
      const sockets = await Promise.all(Array.from({ length: 50 }, (_, i) => babble(port, i)))
      await stillServed()
      for (const socket of sockets) socket.destroy()
    }
    const strangers = await Promise.all(['mallory', 'trudy', 'eve', 'oscar', 'sybil', 'walter'].map(name => startDevice(name)))
    for (let batch = 0; batch < 10; batch++) {
      await Promise.all(strangers.flatMap(stranger => Array.from({ length: 5 }, (_, i) => knock(stranger, relay, i))))
      await stillServed()
    }
    const afterStrangers = await residentMiB()

    // A member that takes nothing it is sent, while 40 MiB come in for it.
    const deaf = await startDeaf(slow, relay)
    await deaf.link()
    const large = Array.from({ length: 160 }, (_, i) => chunks.commit('film', `scene ${i}`, { bytes: 256 * 1_024 }))
    await laptop.replica.add(large)
    await laptop.onRelay(relay, 'film')
    await stillServed()
    // And a member that talks nonsense on a member's stream.
    for (let i = 0; i < 20; i++) {
      const link = await deaf.link()
      const closed = once(link.closed, 'abort')
      await link.send('sync-live', new Uint8Array(1_000).fill(i)).catch(() => undefined) // closed already
      await closed
      deaf.again()
    }
    await stillServed()
    const atTheEnd = await residentMiB()
    console.log(
      `relay resident: ${before} MiB, after 1,000 strangers ${afterStrangers} MiB, after the slow and the malformed ${atTheEnd} MiB`,
    )
    expect(afterStrangers).toBeLessThan(before + 100)
    expect(atTheEnd).toBeLessThan(before + 250)
  },
)

test('[B11] who brings more than its rate waits, loses nothing, and others do not wait with it', async () => {
  const relay = await startRelay()
  const [laptop, neighbour] = [await startDevice('laptop'), await startDevice('neighbour')]
  await shareMailbox(relay, MAILBOX, [laptop], { bytesPerMinute: 60_000 })
  await shareMailbox(relay, mailboxId(2), [neighbour])
  for (const device of [laptop, neighbour]) device.connect(relay)
  const flood = Array.from({ length: 28 }, (_, i) => chunks.commit(`document ${i}`, `${i}`, { bytes: 2_000 }))
  await laptop.replica.add(flood)
  const all = laptop.onRelay(relay, ...flood.map((_, i) => `document ${i}`)).then(() => 'flood')
  const other = (async () => {
    await neighbour.replica.add([chunks.commit('note', 'x')])
    await neighbour.onRelay(relay, 'note')
    return 'other'
  })()
  expect(await Promise.race([all, other])).toBe('other')
  await all
  expect((await relay.operations.status({})).storedChunks).toBe(29)
})

/** Not libp2p: nothing at all, half a greeting, or noise without end. */
async function babble(port: number, i: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined) // being cut off is what it is for
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect').catch(() => undefined) // refused, when there are too many at once
  if (i % 3 === 1) socket.write('\x13/multistream/1.0.0\n')
  if (i % 3 === 2) socket.write(random.bytes(60_000))
  return socket
}

/** libp2p, and then a wrong token, garbage, far too much, or nothing. */
async function knock(
  stranger: TestDevice,
  relay: { readonly id: TestDevice['id']; readonly addresses: readonly string[] },
  i: number,
): Promise<void> {
  try {
    const link = await stranger.node.dial(RELAY_PROTOCOL, { device: relay.id, addresses: relay.addresses })
    if (i === 0) await link.send(encodeRelayRequest({ v: 1, type: 'claim', token: random.bytes(32) }))
    if (i === 1) await link.send(random.bytes(5_000))
    if (i === 2) await link.send(random.bytes(256 * 1_024))
    if (i < 3) await link.receive()
    await link.close()
  } catch {
    // turned away, which is as good an answer
  }
}

async function startDeaf(
  identity: ReturnType<typeof createIdentity>,
  relay: { readonly id: TestDevice['id']; readonly addresses: readonly string[] },
) {
  const never = new Promise<void>(() => undefined)
  let arrive = (_link: DeviceLink): void => undefined
  let arrival: Promise<DeviceLink>
  const expectLink = (): void => void (arrival = new Promise(resolve => (arrive = resolve)))
  expectLink()
  const node = await createNode({
    signing: identity.signing,
    listen: [],
    host: {
      mayConnect: () => true,
      onLink(link) {
        arrive(link)
        return { onFrame: () => never, onClosed: () => undefined }
      },
    },
  })
  onTestFinished(() => node.close())
  const again = (): void => {
    expectLink()
    node.setMembers(new Map([[relay.id, relay.addresses]]))
    node.resume()
  }
  again()
  return { link: () => arrival, again }
}
