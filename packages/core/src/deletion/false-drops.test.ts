import type { DocumentId } from '@automerge/automerge-repo'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createBlindDevice } from '../testing/blind-device.ts'
import { createDeletionCast, type DeletionCast, type DeletionDevice } from '../testing/deletion-cast.ts'
import type { DocumentDevice } from '../testing/document-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import type { SimulatedLink } from '../testing/simulated-link.ts'
import type { SessionId } from '../lib/ids.ts'

let clock: SimulatedClock
let cast: DeletionCast
let laptop: DeletionDevice
let desk: DeletionDevice
let relay: DocumentDevice

beforeEach(async () => {
  clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  cast = createDeletionCast(clock)
  laptop = await cast.join('laptop')
  desk = await cast.join('desk')
  relay = await createBlindDevice(clock, 'relay')
})
afterEach(async () => {
  const closed = cast.close()
  await clock.advance(10_000)
  await closed
})

const link = (device: DeletionDevice): SimulatedLink => cast.documents.link(device.device, relay)
const write = async (at: DeletionDevice, title: string): Promise<{ session: SessionId; document: DocumentId }> => {
  const session = await at.sessions.create({ title })
  const { documentId } = await session.documents.create({ title: `${title}.md`, initial: { text: 'hello' } })
  await at.device.documents.flush()
  return { session: session.id, document: documentId }
}
const liveOnRelay = async (document: DocumentId): Promise<number> =>
  (await relay.store.listDocument(laptop.device.documents.docTagOf(document))).filter(({ live }) => live).length

test('[X11] a relay that was told to drop what no deletion names is told to keep it, by whoever hears of it', async () => {
  const { document } = await write(laptop, 'Notes')
  const first = link(laptop)
  await clock.advance(20_000)
  first.cut()
  // No tombstone: as a member that lies would.
  await desk.device.replica.drop([desk.device.documents.docTagOf(document)])
  const lying = link(desk)
  await clock.advance(20_000)
  lying.cut()
  expect(await liveOnRelay(document)).toBe(0)
  link(laptop)
  await clock.advance(120_000)
  expect(await liveOnRelay(document)).toBeGreaterThan(0)
  expect(laptop.device.replica.fingerprint()).toBe(relay.replica.fingerprint())
  expect(laptop.device.complaints).toContain('relay-dropped-what-is-kept')
})

test('[X11] what was deleted stays dropped, also where the deletion waits for a person', async () => {
  const all = []
  for (let i = 0; i < 6; i++) all.push(await write(laptop, `Notes ${i}`))
  const [first, second] = [link(laptop), link(desk)]
  await clock.advance(20_000)
  second.cut()
  const targets = all.slice(0, 2).map(({ session }) => ({ session }))
  const deleted = laptop.deletions.delete(targets, { confirmed: true })
  await clock.advance(20_000)
  await deleted
  first.cut()
  link(desk)
  await clock.advance(130_000)
  expect(desk.deletions.list.peek().map(({ state }) => state)).toEqual(['waiting', 'waiting'])
  for (const { document } of all.slice(0, 2)) expect(await liveOnRelay(document)).toBe(0)
  expect(desk.device.complaints).toEqual([])
})
