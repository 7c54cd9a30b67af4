/** A hundred devices that come at once with nothing, on real sockets and a real disk. Judged by the order in which things arrive, not by time. */
import { createIdentity, createReplica, type DeviceId } from '@segue/core'
import type { DeviceLinkHandler, Inspector } from '@segue/core/ports'
import { createMemoryChunkStore, decodeSyncMessage } from '@segue/core/testing'
import { createNode, systemClock } from '@segue/net'
import { expect, onTestFinished, test } from 'vitest'
import { chunks, listOf, mailboxId, random, shareMailbox, startDevice, startRelay, type RelayPlace } from './testing/cast.ts'

const DEVICES = 100
const CHUNKS = 64
const CHUNK_BYTES = 60 * 1_024
/** A request is answered a frame of at most 1 MiB at a time, in turn with all others. */
const CHUNKS_PER_FRAME = Math.ceil((1_024 * 1_024) / CHUNK_BYTES)

test('[B32] of a hundred devices that catch up at once none is more than two frames ahead of another', { timeout: 180_000 }, async () => {
  const relay = await startRelay()
  const laptop = await startDevice('laptop')
  const crowd = Array.from({ length: DEVICES }, (_, i) => createIdentity({ name: `device ${i}`, random }))
  await shareMailbox(relay, mailboxId(1), [laptop])
  await laptop.ask(relay, listOf(mailboxId(1), 2, [laptop, ...crowd], laptop))
  laptop.connect(relay)
  const films = Array.from({ length: CHUNKS }, (_, i) => chunks.commit(`film ${i % 8}`, `scene ${i}`, { bytes: CHUNK_BYTES }))
  await laptop.replica.add(films)
  await laptop.onRelay(relay, ...Array.from({ length: 8 }, (_, i) => `film ${i}`))
  await laptop.close()

  /** Chunks so far, by device. */
  const got = new Map<DeviceId, number>(crowd.map(({ id }) => [id, 0]))
  /** How far anybody was ever ahead of the last. */
  let widest = 0
  const onChunks = (device: DeviceId, count: number): void => {
    const now = (got.get(device) ?? 0) + count
    got.set(device, now)
    widest = Math.max(widest, now - Math.min(...got.values()))
  }
  let everybodyIsThere = (): void => undefined
  const gate = new Promise<void>(resolve => (everybodyIsThere = resolve))
  const devices = []
  for (const identity of crowd) devices.push(await startThin(identity, relay, gate, onChunks))
  everybodyIsThere()
  await Promise.all(devices.map(device => device.caughtUp()))

  expect([...got.values()]).toEqual(Array.from({ length: DEVICES }, () => CHUNKS))
  expect(widest).toBeLessThanOrEqual(2 * CHUNKS_PER_FRAME)
})

/** Linked, and silent until the gate opens: then all say hello together. */
async function startThin(
  identity: ReturnType<typeof createIdentity>,
  relay: RelayPlace,
  gate: Promise<void>,
  onChunks: (device: DeviceId, count: number) => void,
): Promise<{ caughtUp(): Promise<unknown> }> {
  const replica = await createReplica({ store: createMemoryChunkStore(), inspector: BELIEVING, clock: systemClock, random })
  let linked = (): void => undefined
  const isLinked = new Promise<void>(resolve => (linked = resolve))
  const node = await createNode({
    signing: identity.signing,
    listen: [],
    host: {
      mayConnect: peer => peer === relay.id,
      onLink(link): DeviceLinkHandler {
        linked()
        const session = gate.then(() => replica.attach(link))
        return {
          async onFrame(channel, frame) {
            const message = channel === 'sync-bulk' ? decodeSyncMessage(frame) : undefined
            if (message?.ok === true && message.value.type === 'chunks') onChunks(identity.id, message.value.chunks.length)
            await (await session).onFrame(channel, frame)
          },
          onClosed: code => void session.then(attached => attached.onClosed(code)),
        }
      },
    },
  })
  onTestFinished(async () => {
    await node.close()
    await replica.close()
  })
  node.setMembers(new Map([[relay.id, relay.addresses]]))
  await isLinked
  return { caughtUp: () => replica.peers.when(peers => peers.get(relay.id)?.state === 'in-sync') }
}

const BELIEVING: Inspector = {
  inspect: async () => ({ kind: 'good', level: 0, covers: [] }),
  covers: async () => new Map(),
}
