/** A mailbox that somebody led away with its key before the group could leave it, and a person who adds the relay again. */
import { encodeMemberList, encodeRelayRequest, hexId, idBytes, signMailboxMove, signingKeysOf, type MailboxId } from '@segue/core'
import { createSeededRandom } from '@segue/core/testing'
import { expect, test } from 'vitest'
import { createDevice, type Device } from './device.ts'
import { createOracle } from './oracle.ts'
import { createRelayWorld } from './relay-day.ts'
import { createTimeLine } from './timeline.ts'

test('[M13] a mailbox that the group cannot leave is named, and left when a person adds the relay again', async () => {
  const timeline = createTimeLine()
  const { clock } = timeline
  const random = createSeededRandom(12)
  const devices: Device[] = []
  const world = createRelayWorld({ devices, random: random.fork(1), timeline, oracle: createOracle(timeline) })
  const deviceOf = (name: string, fork: number): Device =>
    createDevice({
      name,
      random: random.fork(fork),
      timeline,
      maxOpenDocuments: undefined,
      onComplaint: () => undefined,
      knock: world.knock,
    })
  const [laptopDevice, phoneDevice, desk] = [deviceOf('laptop', 2), deviceOf('phone', 3), deviceOf('desk', 4)]
  const laptop = await laptopDevice.start()
  const { group, keeper } = laptop.runtime
  const add = async (device: Device, role: 'admin' | 'member'): Promise<void> =>
    timeline.during(keeper.keep(group.add({ keys: device.keys, role, name: device.name, time: clock.now() })))
  await add(phoneDevice, 'member')
  devices.push(laptopDevice, phoneDevice)
  const relay = await world.found('attica')
  const { mailbox } = await timeline.during(laptop.relays.add(await timeline.during(relay.invite())))
  await phoneDevice.start(group)
  const redial = (): void => {
    world.links.dial(1)
    clock.after(1_500, redial)
  }
  redial()
  await clock.advance(5_000)

  await add(desk, 'admin')
  const [stolen, theirs, away] = [group.relayAdminKeys(mailbox), signingKeysOf(random.bytes(32)), hexId<MailboxId>(random.bytes(16))]
  const order = { from: idBytes(mailbox), mailbox: idBytes(away), adminKey: theirs.publicKey }
  const link = relay.knock(desk.id)
  if (stolen === undefined || link === undefined) throw new Error('the desk was given the key, and the relay is up')
  await link.send(encodeRelayRequest({ v: 1, type: 'move', ...order, signature: signMailboxMove(order, stolen) }))
  for (const version of [1, 2]) {
    await link.send(encodeRelayRequest({ v: 1, type: 'list', ...encodeMemberList({ mailbox: away, version, members: [desk.id] }, theirs) }))
  }
  await clock.advance(1_000)
  await timeline.during(keeper.keep(group.setRole(desk.id, 'member', clock.now())))
  const problem = (): string | undefined => laptop.relays.list.peek()[0]?.problem
  await clock.runUntil(() => problem() === 'RELAY_KEY_LOST', { limitMs: 300_000 })

  const again = await timeline.during(laptop.relays.add(await timeline.during(relay.invite())))
  expect(again.mailbox).not.toBe(mailbox)
  await clock.advance(20_000)
  for (const device of devices)
    expect(device.process()?.runtime.replica.peers.peek().get(relay.id)).toMatchObject({ state: 'in-sync', unconfirmed: 0 })
  expect(laptop.relays.list.peek()).toMatchObject([{ mailbox: again.mailbox, isMoving: false }])
  expect(problem()).toBeUndefined()
  expect((await timeline.during(relay.fingerprints())).get(again.mailbox)).toBe(laptop.runtime.replica.fingerprint())
  for (const device of devices) device.crash()
  relay.crash()
})
