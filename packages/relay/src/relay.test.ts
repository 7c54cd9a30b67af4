import { deviceIdOf, idBytes } from '@segue/core'
import { expect, test } from 'vitest'
import { chunks, inviteIn, listOf, mailboxId, metric, scratch, shareMailbox, startDevice, startRelay, until } from './testing/cast.ts'

const MAILBOX = mailboxId(1)

test('[B1] three devices that are never awake together end up with the same, and all of it is on the relay', async () => {
  const relay = await startRelay()
  const [laptop, desk, phone] = [await startDevice('laptop'), await startDevice('desk'), await startDevice('phone')]
  await shareMailbox(relay, MAILBOX, [laptop, desk, phone])
  const [one, two, three] = ['laptop', 'desk', 'phone'].map(name => chunks.commit('note', `from ${name}`))
  if (one === undefined || two === undefined || three === undefined) throw new Error('three commits')

  laptop.connect(relay)
  await laptop.replica.add([one, chunks.log('the group')])
  await laptop.onRelay(relay, 'note')
  await laptop.close()

  desk.connect(relay)
  await desk.replica.add([two])
  await desk.has(one)
  await desk.onRelay(relay, 'note')
  await desk.close()

  phone.connect(relay)
  await phone.replica.add([three])
  await phone.has(one, two)
  await phone.onRelay(relay, 'note')
  expect(await relay.operations.status({})).toMatchObject({ mailboxes: 1, accounts: 1, storedChunks: 4 })
})

test('[B2] a keystroke of one device reaches another that is linked to the relay at the same time', async () => {
  const relay = await startRelay({ listen: ['/ip4/127.0.0.1/tcp/0/ws'] })
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  await shareMailbox(relay, MAILBOX, [laptop, desk])
  for (const device of [laptop, desk]) device.connect(relay)
  for (const device of [laptop, desk]) await device.replica.peers.when(peers => peers.get(relay.id)?.state === 'in-sync')
  const key = chunks.commit('note', 'k')
  await laptop.replica.add([key])
  await desk.has(key)
})

test('[B3] a stranger without an invite stores nothing, reaches no mailbox and hears nothing about any', async () => {
  const relay = await startRelay()
  const laptop = await startDevice('laptop')
  await shareMailbox(relay, MAILBOX, [laptop])
  const stranger = await startDevice('stranger')
  const answers = await stranger.ask(
    relay,
    { v: 1, type: 'claim', token: new Uint8Array(32) },
    { v: 1, type: 'create', mailbox: idBytes(mailboxId(2)), adminKey: stranger.identity.signing.publicKey },
    listOf(MAILBOX, 2, [stranger], stranger),
    listOf(mailboxId(2), 1, [stranger], stranger),
    { v: 1, type: 'get-list', mailbox: idBytes(MAILBOX) },
    { v: 1, type: 'get-list', mailbox: idBytes(mailboxId(9)) },
    { v: 1, type: 'status', mailbox: idBytes(MAILBOX) },
  )
  expect(answers.map(answer => (answer.type === 'refused' ? answer.why : answer.type))).toEqual([
    'unknown-token',
    'not-yours',
    'bad-signature',
    'not-yours',
    'not-yours',
    'not-yours',
    'not-yours',
  ])
  expect(await relay.operations.status({})).toMatchObject({ accounts: 1, mailboxes: 1, storedChunks: 0 })
})

test('[B4] a device that is taken off the list loses its link and is not let in again; the others stay', async () => {
  const relay = await startRelay()
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  await shareMailbox(relay, MAILBOX, [laptop, desk])
  for (const device of [laptop, desk]) device.connect(relay)
  for (const device of [laptop, desk]) await device.node.links.when(links => links.size === 1)
  const answers = await laptop.ask(relay, listOf(MAILBOX, 2, [laptop], laptop), listOf(MAILBOX, 2, [laptop, desk], laptop), {
    v: 1,
    type: 'get-list',
    mailbox: idBytes(MAILBOX),
  })
  expect(answers.map(answer => (answer.type === 'refused' ? answer.why : answer.type))).toEqual(['listed', 'stale', 'member-list'])
  await desk.node.links.when(links => links.size === 0)
  expect(laptop.node.links.peek().size).toBe(1)
  await expect(relay.operations.status({})).resolves.toMatchObject({ linkedDevices: 1 })
})

test('[B5] somebody else cannot draw a device away by putting its key on a list of their own', async () => {
  const relay = await startRelay()
  const [laptop, thief] = [await startDevice('laptop'), await startDevice('thief')]
  await shareMailbox(relay, MAILBOX, [laptop])
  await shareMailbox(relay, mailboxId(2), [thief, laptop])
  laptop.connect(relay)
  await laptop.replica.add([chunks.commit('note', 'mine')])
  await laptop.onRelay(relay, 'note')
  const [mine] = await laptop.ask(relay, { v: 1, type: 'status', mailbox: idBytes(MAILBOX) })
  const [theirs] = await thief.ask(relay, { v: 1, type: 'status', mailbox: idBytes(mailboxId(2)) })
  expect([mine, theirs]).toMatchObject([{ chunks: 1 }, { chunks: 0 }])
})

test('[B5] nor by putting it there before its own account did: what the device itself asks for counts', async () => {
  const relay = await startRelay()
  const [laptop, thief] = [await startDevice('laptop'), await startDevice('thief')]
  await shareMailbox(relay, mailboxId(2), [thief, laptop])
  await shareMailbox(relay, MAILBOX, [laptop])
  laptop.connect(relay)
  await laptop.ask(relay, { v: 1, type: 'get-list', mailbox: idBytes(MAILBOX) })
  await laptop.replica.add([chunks.commit('note', 'mine')])
  await until(async () => {
    const [mine] = await laptop.ask(relay, { v: 1, type: 'status', mailbox: idBytes(MAILBOX) })
    return mine?.type === 'mailbox-status' && mine.chunks === 1
  })
  // Whoever is on no list of a mailbox chooses nothing by naming it.
  expect((await thief.ask(relay, { v: 1, type: 'get-list', mailbox: idBytes(MAILBOX) }))[0]).toMatchObject({ why: 'not-yours' })
})

test('[B6] in one account the newest list counts: a group moves to a new mailbox', async () => {
  const relay = await startRelay()
  const laptop = await startDevice('laptop')
  await shareMailbox(relay, MAILBOX, [laptop])
  await laptop.ask(
    relay,
    { v: 1, type: 'create', mailbox: idBytes(mailboxId(2)), adminKey: laptop.identity.signing.publicKey },
    listOf(mailboxId(2), 1, [laptop], laptop),
  )
  laptop.connect(relay)
  await laptop.replica.add([chunks.commit('note', 'moved')])
  await laptop.onRelay(relay, 'note')
  expect((await laptop.ask(relay, { v: 1, type: 'status', mailbox: idBytes(mailboxId(2)) }))[0]).toMatchObject({ chunks: 1 })
})

test('[B7] a full account hears "quota" and stops; nobody else does, and nothing of it is stored beyond', async () => {
  const relay = await startRelay({ ops: { host: '127.0.0.1', port: 0 } })
  const [laptop, neighbour] = [await startDevice('laptop'), await startDevice('neighbour')]
  await shareMailbox(relay, MAILBOX, [laptop], { bytes: 2_000 })
  await shareMailbox(relay, mailboxId(2), [neighbour])
  for (const device of [laptop, neighbour]) device.connect(relay)
  for (let i = 0; i < 20; i++) await laptop.replica.add([chunks.commit('note', `line ${i}`, { bytes: 200 })])
  await until(
    async () =>
      (await metric(relay, 'rejected_chunks_total{why="quota"}')) >= 16 &&
      (await metric(relay, 'write_failures_total')) === 0 &&
      (await metric(relay, 'stored_bytes')) > 1_000,
  )
  await neighbour.replica.add([chunks.commit('note', 'fine')])
  await neighbour.onRelay(relay, 'note')
  const [status] = await laptop.ask(relay, { v: 1, type: 'status', mailbox: idBytes(MAILBOX) })
  if (status?.type !== 'mailbox-status') throw new Error('a status')
  expect(status.quotas.bytes).toBe(2_000)
  expect(status.usedBytes).toBeLessThanOrEqual(2_000)
  expect(status.usedBytes).toBeGreaterThan(1_000)
  expect(laptop.replica.confirmedAt(relay.id, chunks.docTag('note'))).toBe(false)
  // More room, and all of it arrives.
  await relay.operations.terms({ account: laptop.id, quotas: { bytes: 1e6 } })
  await laptop.onRelay(relay, 'note')
  expect((await relay.operations.status({})).storedChunks).toBe(21)
})

test('[B8] what the operator revokes is over at once', async () => {
  const relay = await startRelay()
  const laptop = await startDevice('laptop')
  await shareMailbox(relay, MAILBOX, [laptop])
  laptop.connect(relay)
  await laptop.replica.add([chunks.commit('note', 'x')])
  await laptop.onRelay(relay, 'note')
  expect(await relay.operations.revoke({ what: laptop.id, erase: true })).toEqual({ revoked: 'account', erasedMailboxes: 1 })
  await laptop.node.links.when(links => links.size === 0)
  expect((await relay.operations.status({})).storedBytes).toBe(0)
  const { invite } = await relay.operations.invite({})
  expect((await laptop.ask(relay, { v: 1, type: 'claim', token: inviteIn(invite).token }))[0]).toMatchObject({ why: 'revoked' })
  const unclaimed = await relay.operations.invite({ note: 'nobody' })
  expect(await relay.operations.revoke({ what: unclaimed.id })).toMatchObject({ revoked: 'invite' })
  expect(await relay.operations.revoke({ what: deviceIdOf(new Uint8Array(32).fill(3)) })).toMatchObject({ revoked: 'nothing' })
})

test('[B9] an idle mailbox is closed, and open again when somebody comes', async () => {
  const relay = await startRelay({ closeIdleAfterMs: 1 })
  const laptop = await startDevice('laptop')
  await shareMailbox(relay, MAILBOX, [laptop])
  laptop.connect(relay)
  const [first, second] = [chunks.commit('note', '1'), chunks.commit('note', '2')]
  await laptop.replica.add([first])
  await laptop.onRelay(relay, 'note')
  expect((await relay.operations.status({})).openMailboxes).toBe(1)
  laptop.node.setMembers(new Map())
  for (const link of laptop.node.links.peek().values()) await link.close('done')
  await until(async () => (await relay.operations.status({})).openMailboxes === 0)
  laptop.connect(relay)
  await laptop.replica.add([second])
  await laptop.onRelay(relay, 'note')
  expect((await relay.operations.status({})).storedChunks).toBe(2)
})

test('[B10] a relay that stops says so, and goes on where it was', async () => {
  const directory = await scratch()
  const first = await startRelay({ directory })
  const laptop = await startDevice('laptop')
  await shareMailbox(first, MAILBOX, [laptop])
  laptop.connect(first)
  await laptop.replica.add([chunks.commit('note', '1')])
  await laptop.onRelay(first, 'note')
  const closed = new Promise(resolve => laptop.node.links.peek().get(first.id)?.closed.addEventListener('abort', resolve, { once: true }))
  first.drain()
  await first.close()
  await closed
  const listen = first.addresses.map(address => address.replace(/\/p2p\/.*/, ''))
  const second = await startRelay({ directory, listen })
  expect(second.id).toBe(first.id)
  await laptop.node.links.when(links => links.size === 1)
  await laptop.replica.add([chunks.commit('note', '2')])
  await laptop.onRelay(second, 'note')
  expect((await second.operations.status({})).storedChunks).toBe(2)
})
