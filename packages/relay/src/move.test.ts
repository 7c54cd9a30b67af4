/** A mailbox in the place of another. */
import {
  DAY_MS,
  OWN_MAILBOX,
  decodeMemberList,
  encodeMemberList,
  idBytes,
  proveListReader,
  signMailboxMove,
  type MailboxId,
  type RelayAnswer,
  type RelayRequest,
} from '@segue/core'
import { systemClock } from '@segue/net'
import { expect, test } from 'vitest'
import { chunks, listOf, mailboxId, shareMailbox, startDevice, startRelay, until, type TestDevice } from './testing/cast.ts'

const [OLD, NEW, OTHER] = [mailboxId(1), mailboxId(2), mailboxId(3)]

/** Here devices sign with their own keys as admin keys: `signer` for the old mailbox, `next` for the new one. */
function moveTo(mailbox: MailboxId, signer: TestDevice, next: TestDevice): RelayRequest {
  const move = { from: idBytes(OLD), mailbox: idBytes(mailbox), adminKey: next.identity.signing.publicKey }
  return { v: 1, type: 'move', ...move, signature: signMailboxMove(move, signer.identity.signing) }
}
const listBy = (mailbox: MailboxId, version: number, members: readonly TestDevice[], admin: TestDevice): RelayRequest => ({
  v: 1,
  type: 'list',
  ...encodeMemberList({ mailbox, version, members: members.map(({ id }) => id) }, admin.identity.signing),
})
const wordOf = (answer: RelayAnswer): string => (answer.type === 'refused' ? answer.why : answer.type)

test('[B30] who fills the new mailbox goes there first, the others when they are listed, and all of it is there', async () => {
  const relay = await startRelay()
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  await shareMailbox(relay, OLD, [laptop, desk], { mailboxes: 1 })
  for (const device of [laptop, desk]) device.connect(relay)
  await laptop.replica.add([chunks.commit('note', '1'), chunks.log('the group')])
  await desk.has(chunks.commit('note', '1'))

  const first = new Promise(resolve => laptop.node.links.peek().get(relay.id)?.closed.addEventListener('abort', resolve, { once: true }))
  const moved = await desk.ask(relay, moveTo(NEW, laptop, desk), moveTo(NEW, laptop, desk), listBy(NEW, 1, [laptop], desk))
  expect(moved.map(wordOf)).toEqual(['moved', 'moved', 'listed'])
  await first
  const chunksIn = async (): Promise<number> => {
    const [status] = await laptop.ask(relay, { v: 1, type: 'status', mailbox: idBytes(NEW) })
    return status?.type === 'mailbox-status' ? status.chunks : -1
  }
  await until(async () => (await chunksIn()) === 2)
  await desk.replica.add([chunks.commit('note', '2')])
  await desk.onRelay(relay, 'note') // the old one
  expect(await chunksIn()).toBe(2)
  expect(await relay.operations.status({})).toMatchObject({ linkedDevices: 2, mailboxes: 2, accounts: 1 })

  expect((await laptop.ask(relay, listBy(NEW, 2, [laptop, desk], desk))).map(wordOf)).toEqual(['listed'])
  await laptop.has(chunks.commit('note', '2')) // brought along
})

test('[B30] nobody moves a mailbox whose key did not sign it, nor one that is not there', async () => {
  const relay = await startRelay()
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  await shareMailbox(relay, OLD, [laptop, desk])
  const answers = await desk.ask(relay, moveTo(NEW, desk, desk), {
    ...(moveTo(NEW, laptop, desk) as object),
    from: idBytes(OTHER),
  } as RelayRequest)
  expect(answers.map(wordOf)).toEqual(['bad-signature', 'not-yours'])
  expect(await relay.operations.status({})).toMatchObject({ mailboxes: 1 })
})

test('[B33] one that was to take the place and holds nothing goes when another is to', async () => {
  const relay = await startRelay()
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  await shareMailbox(relay, OLD, [laptop, desk], { mailboxes: 1 })
  const many = Array.from({ length: 20 }, (_, i) => moveTo(mailboxId(10 + i), laptop, desk))
  expect(new Set((await desk.ask(relay, ...many)).map(wordOf))).toEqual(new Set(['moved']))
  expect((await desk.ask(relay, listBy(mailboxId(10), 1, [desk], desk), listBy(mailboxId(29), 1, [desk], desk))).map(wordOf)).toEqual([
    'not-yours',
    'listed',
  ])
  expect(await relay.operations.status({})).toMatchObject({ mailboxes: 2 })
})

test('[B31] before its second list another may take the place; after it the old key changes nothing, and the old mailbox goes', async () => {
  let aheadMs = 0
  const relay = await startRelay({ clock: { ...systemClock, now: () => Date.now() + aheadMs } })
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  await shareMailbox(relay, OLD, [laptop, desk])
  const answers = await laptop.ask(
    relay,
    moveTo(OTHER, laptop, desk),
    listBy(OTHER, 1, [desk], desk),
    moveTo(NEW, laptop, laptop),
    listBy(NEW, 1, [laptop], laptop),
    listOf(OLD, 2, [laptop], laptop),
    listBy(NEW, 2, [laptop, desk], laptop),
    listOf(OLD, 3, [laptop, desk], laptop),
    moveTo(OTHER, laptop, desk),
  )
  expect(answers.map(wordOf)).toEqual(['moved', 'listed', 'moved', 'listed', 'listed', 'listed', 'stale', 'stale'])
  expect((await relay.housekeeping.run()).removedMailboxes).toBe(0)
  aheadMs = 8 * DAY_MS
  expect((await relay.housekeeping.run()).removedMailboxes).toBe(1)
})

test('[B31] who asks again takes the place again from another that is not settled, and its links lead there', async () => {
  const relay = await startRelay()
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  await shareMailbox(relay, OLD, [laptop, desk])
  const leadsTo = async (device: TestDevice): Promise<MailboxId | undefined> => {
    const [answer] = await device.ask(relay, { v: 1, type: 'get-list', mailbox: OWN_MAILBOX })
    const list = answer?.type === 'member-list' && answer.list !== undefined ? decodeMemberList(answer.list.record) : undefined
    return list?.ok === true ? list.value.mailbox : undefined
  }
  await laptop.ask(relay, moveTo(NEW, laptop, laptop), listBy(NEW, 1, [laptop], laptop))
  laptop.connect(relay)
  await laptop.replica.add([chunks.commit('note', '1')])
  await laptop.onRelay(relay, 'note') // one that holds something stays
  await desk.ask(relay, moveTo(OTHER, laptop, desk), listBy(OTHER, 1, [desk], desk), listOf(OLD, 2, [laptop, desk], laptop))
  expect([await leadsTo(laptop), await leadsTo(desk)]).toEqual([OLD, OTHER])
  await laptop.ask(relay, moveTo(NEW, laptop, laptop))
  expect([await leadsTo(laptop), await leadsTo(desk)]).toEqual([NEW, OLD])
  await laptop.ask(relay, listBy(NEW, 2, [laptop, desk], laptop))
  expect((await desk.ask(relay, moveTo(OTHER, laptop, desk))).map(wordOf)).toEqual(['stale'])
})

test('[B31] what a device brought to the old mailbox at the last moment is in the new one, although it never comes again', async () => {
  const relay = await startRelay()
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  await shareMailbox(relay, OLD, [laptop, desk])
  await laptop.ask(relay, moveTo(NEW, laptop, laptop), listBy(NEW, 1, [laptop], laptop))
  desk.connect(relay)
  const last = [chunks.commit('note', 'last'), chunks.register('note', 'claim', 4, 'mine'), chunks.log('the group')]
  await desk.replica.add(last)
  await desk.onRelay(relay, 'note')
  await desk.close()
  laptop.connect(relay)
  await laptop.ask(relay, listBy(NEW, 2, [laptop, desk], laptop))
  await laptop.has(...last)
})

test('[B38] who has the key of a mailbox reads its list although no list names it, until the group is in another', async () => {
  const relay = await startRelay()
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  await shareMailbox(relay, OLD, [laptop])
  const plain: RelayRequest = { v: 1, type: 'get-list', mailbox: idBytes(OLD) }
  const provenBy = (admin: TestDevice, reader: TestDevice, mailbox = OLD): RelayRequest => ({
    ...plain,
    mailbox: idBytes(mailbox),
    proof: proveListReader({ mailbox: idBytes(mailbox), reader: reader.id }, admin.identity.signing),
  })
  // A key that is not its key, a proof made for somebody else, and a mailbox that is not there: one answer.
  const refused = [plain, provenBy(desk, desk), provenBy(laptop, laptop), provenBy(laptop, desk, OTHER)]
  expect((await desk.ask(relay, ...refused)).map(wordOf)).toEqual(['not-yours', 'not-yours', 'not-yours', 'not-yours'])
  // By a proof that the holder of the key made for it.
  const [read] = await desk.ask(relay, provenBy(laptop, desk))
  expect(read).toEqual({
    v: 1,
    type: 'member-list',
    list: encodeMemberList({ mailbox: OLD, version: 1, members: [laptop.id] }, laptop.identity.signing),
  })

  const moved = await laptop.ask(relay, moveTo(NEW, laptop, laptop), listBy(NEW, 1, [laptop], laptop))
  expect(moved.map(wordOf)).toEqual(['moved', 'listed'])
  expect((await desk.ask(relay, provenBy(laptop, desk))).map(wordOf)).toEqual(['member-list'])
  await laptop.ask(relay, listBy(NEW, 2, [laptop], laptop))
  expect((await desk.ask(relay, provenBy(laptop, desk))).map(wordOf)).toEqual(['not-yours'])
})

test('[B39] the device that used the invite hears nothing more of a mailbox whose list names it no more', async () => {
  const relay = await startRelay()
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  await shareMailbox(relay, OLD, [laptop, desk])
  const questions: readonly RelayRequest[] = [
    { v: 1, type: 'get-list', mailbox: idBytes(OLD) },
    { v: 1, type: 'status', mailbox: idBytes(OLD) },
  ]
  expect((await laptop.ask(relay, ...questions)).map(wordOf)).toEqual(['member-list', 'mailbox-status'])
  expect((await desk.ask(relay, listOf(OLD, 2, [desk], laptop), ...questions)).map(wordOf)).toEqual([
    'listed',
    'member-list',
    'mailbox-status',
  ])
  expect((await laptop.ask(relay, ...questions)).map(wordOf)).toEqual(['not-yours', 'not-yours'])
})
