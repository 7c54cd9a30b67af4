import type { DocumentId } from '@automerge/automerge-repo'
import { expect, test } from 'vitest'
import { createIndex } from '../documents/index.ts'
import { createSubject } from '../lib/observable.ts'
import { MINUTE_MS } from '../lib/units.ts'
import { createDocumentCast } from '../testing/document-cast.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { createSimulatedClock } from '../testing/simulated-clock.ts'
import { documentIdOfBytes } from './session-ids.ts'
import { createSessions } from './sessions.ts'

test('[S31] a session that nobody touched for long is as it was while others come and go, and lets go of all when it is closed', async () => {
  const clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  const cast = createDocumentCast(clock)
  const laptop = await cast.join('laptop')
  await cast.restart(laptop, { maxOpenDocuments: 2 })
  const { documents, group, identity } = laptop
  const during = async <T>(work: Promise<T>): Promise<T> => {
    let isOver = false
    const done = work.finally(() => (isOver = true))
    done.catch(() => undefined)
    await clock.runUntil(() => isOver)
    return done
  }
  const isOpen = (id: DocumentId): boolean => documents.state(id).peek() === 'open'
  const openOthers = async (): Promise<void> => {
    for (let i = 0; i < 4; i++) {
      await during(documents.create(doc => void Object.assign(doc as object, { text: `other ${i}` })))
      await clock.advance(2 * MINUTE_MS)
    }
  }
  const index = await during(createIndex(documents, documentIdOfBytes(group.rootDocumentId)))
  const sessions = createSessions({
    documents,
    index,
    deletions: { version: createSubject(0) },
    identity,
    clock,
    random: createSeededRandom(3),
  })
  const session = await during(sessions.create({ title: 'Report' }))
  const { documentId } = await during(session.documents.create({ title: 'First', initial: { text: 'hello' } }))
  const view = await during(session.views.open({ document: documentId, selection: { anchor: 1, head: 3 } }))

  await openOthers()
  expect(session.views.layout().views).toMatchObject([{ id: view, selection: { anchor: 1, head: 3 } }])
  session.views.update(view, { selection: { anchor: 2, head: 2 } })
  await during(session.flush())

  session.views.close(view)
  await openOthers()
  expect(isOpen(documentId)).toBe(false)
  const views = session.handles.views.documentId
  expect(isOpen(views)).toBe(true)
  await during(session.close())
  await openOthers()
  expect(isOpen(views)).toBe(false)
  await index.close()
  await during(cast.close())
})
