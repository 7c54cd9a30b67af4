/** A member whose frames are well-formed, and name things to make the other side work or remember. */
import { beforeEach, expect, test } from 'vitest'
import type { DocTag } from '../lib/ids.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { DeviceLink } from '../ports/device-link.ts'
import { createReplicaCast, type CastMember, type ReplicaCast } from '../testing/replica-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import { linkDevices } from '../testing/simulated-link.ts'
import { decodeSyncMessage, encodeSyncMessage, MAX_HAVE_RECORDS, MAX_WANT_IDS, type SyncMessage } from '../wire/sync-messages.ts'
import { createDelay } from './delay.ts'
import { keylessInspector } from './keyless-inspector.ts'
import { packIds, unpackOffers } from './sync-records.ts'

let clock: SimulatedClock
let cast: ReplicaCast
let liar: CastMember
let relay: CastMember

beforeEach(async () => {
  clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  cast = createReplicaCast(clock)
  liar = await cast.join('liar')
  relay = await cast.join('relay', { keyless: true, inspector: keylessInspector })
})

/** Links both; `say` puts a frame of its own on the liar's link. */
function linkLiar(): { say(message: SyncMessage): Promise<void>; heard: SyncMessage[] } {
  const heard: SyncMessage[] = []
  let link: DeviceLink | undefined
  linkDevices(
    {
      id: liar.id,
      accept(end) {
        link = end
        return liar.replica.attach(end)
      },
    },
    { id: relay.id, accept: end => relay.replica.attach(end) },
    {
      clock,
      latencyMs: 1,
      onFrame(from, _to, _channel, frame) {
        const message = decodeSyncMessage(frame)
        if (message.ok && from === relay.id) heard.push(message.value)
      },
    },
  )
  return { heard, say: async message => link?.send('sync-live', encodeSyncMessage(message)) }
}
const madeUp = (count: number): DocTag[] => Array.from({ length: count }, (_, n) => n.toString(16).padStart(32, '0') as DocTag)
async function recordsUnder(store: ChunkStore, prefix: string): Promise<number> {
  let count = 0
  for await (const [key] of store.listRecords(prefix)) if (key.startsWith(prefix)) count++
  return count
}

test('[R48] [R32] of documents that are not here a replica without keys keeps no word that they were deleted', async () => {
  const diary = cast.chunks.commit('diary', 'a')
  await liar.replica.add([diary, cast.chunks.commit('letter', 'b')])
  const { say } = linkLiar()
  await clock.advance(60_000)
  await say({ type: 'drop', tags: packIds([...madeUp(1_000), diary.docTag]) })
  await clock.advance(60_000)
  expect(await recordsUnder(relay.store, 'dropped/')).toBe(1)
  expect(relay.replica.isDropped(diary.docTag)).toBe(true)
})

test('[R32] a document that is asked for again and again in one frame is listed once', async () => {
  await liar.replica.add(Array.from({ length: 50 }, (_, n) => cast.chunks.commit('diary', `${n}`)))
  const { say, heard } = linkLiar()
  await clock.advance(60_000)
  heard.length = 0
  const tags = Array.from({ length: MAX_WANT_IDS }, () => cast.chunks.docTag('diary'))
  await say({ type: 'ask', tags: packIds(tags) })
  await clock.advance(60_000)
  const offered = heard.flatMap(message => (message.type === 'have' ? (unpackOffers(message.items) ?? []) : []))
  expect(offered).toHaveLength(50)
})

test('[R32] what was just stored elsewhere is not heard faster than it can be looked up', async () => {
  const done: (() => void)[] = []
  const delay = createDelay<number>(clock, {
    ms: 30,
    maxWaiting: 2 * MAX_HAVE_RECORDS,
    onDue: () => new Promise<void>(resolve => done.push(resolve)),
  })
  const many = Array.from({ length: MAX_HAVE_RECORDS }, (_, n) => n)
  expect([delay.add(many), delay.add(many)]).toEqual([undefined, undefined])
  let mayGoOn = false
  const waits = delay.add(many)?.then(() => (mayGoOn = true))
  expect(waits).toBeInstanceOf(Promise)
  await clock.advance(60_000)
  expect(mayGoOn).toBe(false)
  for (const finish of done) finish()
  await waits
  expect(delay.add(many)).toBeUndefined()
  delay.end()
})
