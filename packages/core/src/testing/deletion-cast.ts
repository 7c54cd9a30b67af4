/** Devices of one group that work in sessions and delete: everything real but disk and network. */
import type { Deletions } from '../deletion/index.ts'
import { createDeletions, createLocalDeletions, withoutDeleted } from '../deletion/index.ts'
import { createIndex, type DocumentIndex } from '../documents/index.ts'
import type { Clock } from '../ports/clock.ts'
import { createSessions, type Sessions } from '../session/index.ts'
import { documentIdOfBytes } from '../session/session-ids.ts'
import { createDocumentCast, type DocumentCast, type DocumentDevice } from './document-cast.ts'
import { createSeededRandom } from './seeded-random.ts'

export interface DeletionDevice {
  readonly device: DocumentDevice
  index: DocumentIndex
  sessions: Sessions
  deletions: Deletions & { refresh(): void }
  here: Awaited<ReturnType<typeof createLocalDeletions>>
}

export interface DeletionCast {
  readonly documents: DocumentCast
  join(name: string): Promise<DeletionDevice>
  restart(member: DeletionDevice): Promise<void>
  close(): Promise<void>
}

export function createDeletionCast(clock: Clock, seed = 1): DeletionCast {
  const cast = createDocumentCast(clock, { seed, withLog: true })
  const random = createSeededRandom(seed + 1)
  const members: DeletionDevice[] = []
  const start = async (member: DeletionDevice): Promise<void> => {
    const { device } = member
    const { identity, keyring, group, replica, documents, records } = device
    const stored = await createIndex(documents, documentIdOfBytes(group.rootDocumentId))
    const logger = {
      debug: () => undefined,
      info: () => undefined,
      warn: (event: string) => device.complaints.push(event),
      error: (event: string) => device.complaints.push(event),
    }
    const deletions = await createDeletions({
      ...{ identity, keyring, replica, documents, records, random, clock },
      group: group.id,
      chunkStore: device.store,
      index: stored,
      isActive: id => device.group.isActive(id),
      sessions: () => member.sessions,
      knownOf: id => member.here.knownOf(id),
      logger,
    })
    device.isDeleted = deletions.isDeleted
    const index = withoutDeleted(stored, deletions)
    device.group.state.subscribe(deletions.refresh)
    const here = await createLocalDeletions({
      ...{ replica, documents, records, clock, index, deletions, logger },
      group: group.id,
      chunkStore: device.store,
      onLeaving: ids => member.sessions.release(ids, 'DOCUMENT_NOT_HERE'),
    })
    device.isNotHere = here.isNotHere
    Object.assign(member, { here, index, deletions, sessions: createSessions({ documents, index, deletions, identity, clock, random }) })
  }
  return {
    documents: cast,
    async join(name) {
      const member = { device: await cast.join(name) } as DeletionDevice
      await start(member)
      members.push(member)
      return member
    },
    async restart(member) {
      const { deletions, here } = member
      void here.close().catch(() => undefined)
      void deletions.close().catch(() => undefined) // its store is dead
      await cast.restart(member.device)
      await start(member)
    },
    async close() {
      for (const { deletions, here, sessions, index } of members) {
        await here.close()
        await sessions.close()
        await deletions.close()
        await index.close()
      }
      await cast.close()
    },
  }
}
