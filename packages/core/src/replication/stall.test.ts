import { expect, test } from 'vitest'
import { fromHex } from '../lib/bytes.ts'
import type { DeviceId } from '../lib/ids.ts'
import type { DeviceLink } from '../ports/device-link.ts'
import { createReplicaCast } from '../testing/replica-cast.ts'
import { createSimulatedClock } from '../testing/simulated-clock.ts'
import { linkDevices } from '../testing/simulated-link.ts'
import { decodeSyncMessage, encodeSyncMessage, type SyncMessage } from '../wire/sync-messages.ts'
import { STALL_MS } from './pace.ts'

test('[R39] a peer whose offer came before the comparison began, or never comes, is asked whether there is anything', async () => {
  const clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  const cast = createReplicaCast(clock)
  const laptop = await cast.join('laptop')
  await laptop.replica.add([cast.chunks.commit('report', 'edit')])
  const links: DeviceLink[] = []
  const heard: SyncMessage[] = []
  linkDevices(
    {
      id: 'desk' as DeviceId,
      accept(link) {
        links.push(link)
        return {
          onFrame(_channel, frame) {
            const message = decodeSyncMessage(frame)
            if (message.ok) heard.push(message.value)
          },
          onClosed: () => undefined,
        }
      },
    },
    { id: laptop.id, accept: link => laptop.replica.attach(link) },
    { clock },
  )
  const state = (): unknown => laptop.replica.peers.peek().get('desk' as DeviceId)?.state
  const say = async (message: SyncMessage): Promise<void> => {
    await links[0]?.send('sync-live', encodeSyncMessage(message))
    await clock.advance(100)
  }
  const holding = {
    root: fromHex(laptop.replica.fingerprint()),
    log: { count: 0, fingerprint: new Uint8Array(32) },
    unchecked: 0,
    arrival: 1,
  }
  const [replica, incarnation] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)]
  await say({ type: 'hello', versions: { min: 1, current: 2 }, replica, incarnation, ...holding })
  expect(state()).toBe('in-sync')
  await say({ type: 'summary', buckets: new Uint8Array(8_192), isAnswer: false })
  expect(state()).toBe('catching-up')
  await clock.advance(STALL_MS)
  expect(heard.at(-1)).toMatchObject({ type: 'root', isAnswer: false })
  await say({ type: 'root', ...holding, isAnswer: true })
  expect(state()).toBe('in-sync')
  const before = heard.length
  await clock.advance(10 * STALL_MS)
  expect(heard).toHaveLength(before)
})
