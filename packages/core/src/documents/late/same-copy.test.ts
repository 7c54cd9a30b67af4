import * as A from '@automerge/automerge'
import { expect, test } from 'vitest'
import { createBlindDevice } from '../../testing/blind-device.ts'
import { binaryDocumentId, createDocumentCast, type DocumentDevice } from '../../testing/document-cast.ts'
import { createSimulatedClock } from '../../testing/simulated-clock.ts'
import { GRACE_MS } from './contract.ts'

interface Note {
  text: string
}

test('[D49] a copy that a removed device makes as well, under the same id, is whole everywhere, whoever’s chunks came first', async () => {
  const clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  const cast = createDocumentCast(clock, { withLog: true })
  const [laptop, desk, phone] = [await cast.join('laptop'), await cast.join('desk'), await cast.join('phone')]
  const within = <T>(work: Promise<T>): Promise<T> => clock.during(work, 50)
  const meet = async (...pair: Parameters<typeof cast.link>): Promise<void> => {
    const link = cast.link(...pair)
    await clock.advance(5_000)
    link.cut()
  }
  const saved = A.save(A.from({ text: 'what was edited' }))
  const documentId = binaryDocumentId(new Uint8Array(16).fill(49))
  const copyOn = ({ documents }: DocumentDevice): Promise<unknown> => within(documents.create<Note>(saved, { documentId }))
  laptop.group.remove(phone.id, { time: clock.now() })
  await meet(laptop, desk)
  await copyOn(phone)
  const relay = await createBlindDevice(clock, 'relay')
  await meet(phone, relay)
  await meet(relay, desk)
  await copyOn(laptop)
  await within(laptop.documents.late?.vouch(documentId) ?? Promise.resolve())
  await meet(laptop, desk)
  await clock.advance(2 * GRACE_MS)
  const opened = await within(desk.documents.open<Note>(documentId))
  expect(opened.doc().text).toBe('what was edited')
  expect(desk.documents.late?.list.peek()).toEqual([])
})
