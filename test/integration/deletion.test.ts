/** Deleting for good between real devices and a real relay. */
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
