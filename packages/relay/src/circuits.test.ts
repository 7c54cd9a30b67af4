import { expect, test } from 'vitest'
import { chunks, listOf, mailboxId, metric, shareMailbox, startDevice, startRelay } from './testing/cast.ts'

const MAILBOX = mailboxId(1)

test('[B25] devices of one mailbox link through the relay, and speak to each other on it', async () => {
  const relay = await startRelay({ ops: { host: '127.0.0.1', port: 0 } })
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  await shareMailbox(relay, MAILBOX, [laptop, desk])
  laptop.connect(relay, desk)
  desk.connect(relay, laptop)
  const links = await laptop.node.links.when(map => map.has(desk.id))
  expect(links.get(desk.id)?.path).toBe('relayed')
  await desk.replica.peers.when(peers => peers.get(laptop.id)?.state === 'in-sync')
  await expect.poll(() => metric(relay, 'circuits')).toBe(1)
})

test('[B25] devices of different mailboxes do not reach each other, whatever they know of each other', async () => {
  const relay = await startRelay()
  const [laptop, desk, foreign] = [await startDevice('laptop'), await startDevice('desk'), await startDevice('foreign')]
  await shareMailbox(relay, MAILBOX, [laptop, desk])
  await shareMailbox(relay, mailboxId(2), [foreign])
  foreign.connect(relay, laptop)
  laptop.connect(relay, foreign, desk)
  await foreign.node.links.when(map => map.has(relay.id))
  desk.connect(relay, laptop)
  await laptop.node.links.when(map => map.has(desk.id)) // by now the others would be linked as well
  expect([laptop.node.links.peek().has(foreign.id), foreign.node.links.peek().has(laptop.id)]).toEqual([false, false])
})

test('[B25] a device that is taken off the list loses what it has through the relay, at once', async () => {
  const relay = await startRelay()
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  await shareMailbox(relay, MAILBOX, [laptop, desk])
  laptop.connect(relay, desk)
  desk.connect(relay, laptop)
  await laptop.node.links.when(map => map.has(desk.id))
  await laptop.ask(relay, listOf(MAILBOX, 2, [laptop], laptop))
  await laptop.node.links.when(map => !map.has(desk.id))
  await desk.node.links.when(map => map.size === 0)
  const note = chunks.commit('note', 'after it')
  await laptop.replica.add([note])
  expect(desk.arrived).toEqual([])
})
