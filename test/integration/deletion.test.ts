/** Deleting between real devices and a real relay, for good and on one device only. */
import path from 'node:path'
import { expect, test } from 'vitest'
import { inSync, pair, scratch, startDevice } from './cast.ts'
import { addRelay, onRelay, relayHome } from './relay-cast.ts'

test('[X1] [X3] a device that slept through a deletion follows it by the relay, which is told and offers nothing of it', async () => {
  const relay = await (await relayHome()).start()
  const laptop = await startDevice('laptop')
  const directory = path.join(await scratch(), 'desk')
  const desk = await startDevice('desk', { directory })
  await pair(laptop, desk)
  await addRelay(laptop, relay)
  const session = await laptop.sessions.create({ title: 'Trip' })
  await session.documents.create({ title: 'note', initial: { text: 'hello' } })
  await session.flush()
  await Promise.all([inSync(laptop, desk), onRelay(laptop), onRelay(desk)])
  await desk.close()

  const [deletion] = await laptop.deletions.delete([{ session: session.id }])
  expect(deletion?.relays).toMatchObject([{ relay: relay.id }])
  await laptop.deletions.list.when(([each]) => each?.relays.every(({ state }) => state !== 'waiting') === true)
  await onRelay(laptop)
  await laptop.close()

  const awake = await startDevice('desk', { directory })
  await awake.deletions.list.when(([each]) => each?.state === 'gone')
  expect(awake.sessions.list.peek()).toEqual([])
  await onRelay(awake)
  expect(awake.deletions.edits.peek()).toEqual([])
  await awake.deletions.list.when(([each]) => each?.relays.every(({ state }) => state !== 'waiting') === true)
}, 60_000)

test('[X18] [X12] [X13] [X19] what is deleted on one device stays away from it past a restart, and a handoff to it brings it back', async () => {
  const laptop = await startDevice('laptop')
  const directory = path.join(await scratch(), 'phone')
  const phone = await startDevice('phone', { directory })
  await pair(laptop, phone)
  const session = await laptop.sessions.create({ title: 'Trip' })
  const note = await session.documents.create({ title: 'note', initial: { text: 'hello' } })
  await session.durable({ devices: 1 })
  await inSync(laptop, phone)

  const [away] = await phone.deletions.deleteHere([{ session: session.id }])
  expect(away).toMatchObject({ session: session.id, title: 'Trip', state: 'not-here', documents: 4 })
  expect(phone.status.peek()).toMatchObject({ notHere: 1, sessions: 1 })
  await expect(phone.sessions.open(session.id)).rejects.toMatchObject({ code: 'SESSION_NOT_HERE' })
  await expect(phone.repo.find(note.documentId)).rejects.toMatchObject({ code: 'DOCUMENT_NOT_HERE' })
  expect(() => phone.handoff.send(session.id, { to: laptop.device.id })).toThrow(expect.objectContaining({ code: 'SESSION_NOT_HERE' }))
  await session.durability.when(({ holders, isSafeToClose }) => holders.length === 0 && !isSafeToClose)
  await laptop.devices.when(devices => devices.some(({ leavesOut }) => leavesOut === 4))
  await expect(laptop.deletions.deleteHere([{ session: session.id }])).rejects.toMatchObject({ code: 'KEPT_NOWHERE_ELSE' })
  await phone.close()

  note.handle.change(doc => void (doc.text = 'hello again'))
  await session.flush()
  const awake = await startDevice('phone', { directory })
  await inSync(laptop, awake)
  expect(awake.deletions.notHere.peek()).toMatchObject([{ session: session.id, state: 'not-here' }])

  const open = await laptop.sessions.open(session.id)
  expect(await laptop.handoff.send(session.id, { to: awake.device.id }).done).toMatchObject({ kind: 'done', holder: awake.device.id })
  const there = await awake.sessions.open(session.id)
  expect((await there.documents.open<{ text: string }>(note.documentId)).doc().text).toBe('hello again')
  expect([awake.deletions.notHere.peek(), awake.status.peek().notHere]).toEqual([[], 0])
  await open.durability.when(({ isSafeToClose }) => isSafeToClose)
}, 60_000)
