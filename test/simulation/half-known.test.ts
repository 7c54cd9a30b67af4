/** What a device answers about a session of which it has only a part, and whose other devices are away. */
import type { DocumentId } from '@automerge/automerge-repo'
import { documentIdOf, documentIdOfBytes, type SessionId } from '@segue/core'
import { createSeededRandom } from '@segue/core/testing'
import { expect, test } from 'vitest'
import { createDevice, type Device, type Process } from './device.ts'
import { createTimeLine, type TimeLine } from './timeline.ts'

interface Pair {
  readonly timeline: TimeLine
  readonly laptop: Process
  readonly session: SessionId
  /** Brings these documents to desk's disk, and starts it. */
  startDesk(documents: readonly DocumentId[]): Promise<Process>
}

async function deskApartFromLaptop(): Promise<Pair> {
  const timeline = createTimeLine()
  const deviceOf = (name: string, seed: number): Device =>
    createDevice({ name, random: createSeededRandom(seed), timeline, maxOpenDocuments: undefined, onComplaint: () => undefined })
  const laptop = await deviceOf('laptop', 1).start()
  const deskDevice = deviceOf('desk', 2)
  const { group, keeper, faces } = laptop.runtime
  const added = group.add({ keys: deskDevice.keys, role: 'member', name: 'desk', time: timeline.clock.now() })
  await timeline.during(keeper.keep(added))
  const session = await timeline.during(faces.create({ title: 'Report' }))
  await timeline.during(session.flush())
  return {
    timeline,
    laptop,
    session: session.id,
    async startDesk(documents) {
      const first = await deskDevice.start(group)
      for (const document of documents) {
        const store = laptop.device.chunks()
        const held = await store.listDocument(laptop.runtime.documents.docTagOf(document))
        await timeline.during(first.runtime.replica.add(await store.getMany(held.map(chunk => chunk.id))))
      }
      await deskDevice.stop()
      return deskDevice.start()
    },
  }
}

test('[I10] taking a session that is only listed here, from a device that is away, fails at once and not at its deadline', async () => {
  const { timeline, laptop, session, startDesk } = await deskApartFromLaptop()
  const desk = await startDesk([documentIdOfBytes(laptop.runtime.group.rootDocumentId)])
  expect(desk.runtime.index.sessions.peek().map(listed => listed.id)).toEqual([session])
  const taking = desk.runtime.handoffs.take(session, { from: laptop.device.id })
  const outcome = await timeline.during(taking.done, 20_000)
  expect(outcome).toMatchObject({ kind: 'failed', code: 'UNREACHABLE' })
})

test('[I10] who drives is told from the session document alone, while the rest of the session is on its way', async () => {
  const { timeline, laptop, session, startDesk } = await deskApartFromLaptop()
  const desk = await startDesk([documentIdOfBytes(laptop.runtime.group.rootDocumentId), documentIdOf(session)])
  const lease = await timeline.during(desk.runtime.handoffs.lease(session), 1_000)
  expect(lease.holder).toBe(laptop.device.id)
})
