import { beforeEach, expect, test } from 'vitest'
import { GROUP_DOC_TAG, type DocTag } from '../lib/ids.ts'
import { areEqual, createReplicaCast, sumOnDisk, type CastMember, type ReplicaCast } from '../testing/replica-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import { linkDevices } from '../testing/simulated-link.ts'
import type { DeviceLink, DeviceLinkHandler } from '../ports/device-link.ts'
import { MAX_EXCEPT_TAGS } from '../wire/hello.ts'
import { decodeSyncMessage, encodeSyncMessage, type SyncMessage } from '../wire/sync-messages.ts'
import { keylessInspector } from './keyless-inspector.ts'

const WITHOUT_KEYS = { keyless: true, inspector: keylessInspector }

let clock: SimulatedClock
let cast: ReplicaCast
let laptop: CastMember
let desk: CastMember

beforeEach(async () => {
  clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  cast = createReplicaCast(clock)
  laptop = await cast.join('laptop')
  desk = await cast.join('desk')
  await cast.fill(laptop, 20)
  await laptop.replica.add(['a', 'b', 'c'].map(name => cast.chunks.commit('diary', name)))
})

const diary = (): DocTag => cast.chunks.docTag('diary')
const held = async (member: CastMember, docTag = diary()): Promise<number> => (await member.store.listDocument(docTag)).length
const stateAt = (member: CastMember, peer: CastMember): string | undefined => member.replica.peers.peek().get(peer.id)?.state
const areInSync = (a: CastMember, b: CastMember): boolean => stateAt(a, b) === 'in-sync' && stateAt(b, a) === 'in-sync'
/** The call needs the clock to go on. */
const leave = async (member: CastMember, docTags: readonly DocTag[], isForced = false): Promise<readonly DocTag[]> => {
  let answer: readonly DocTag[] | undefined
  void member.replica.leaveOut(docTags, { isForced }).then(alone => (answer = alone))
  await clock.runUntil(() => answer !== undefined)
  return answer as readonly DocTag[]
}

test('[R54] what is left out goes in one batch, is not taken again, and both stay in sync without asking', async () => {
  await cast.inSync(laptop, desk)
  expect(await leave(laptop, [diary()])).toEqual([])
  expect(await held(laptop)).toBe(0)
  expect(await sumOnDisk(laptop)).toBe(BigInt(`0x${laptop.replica.fingerprint()}`))
  cast.seen.splice(0)
  await desk.replica.add([cast.chunks.commit('diary', 'd'), cast.chunks.commit('letter', 'x')])
  await clock.advance(120_000)
  expect(await held(laptop)).toBe(0)
  expect(await held(laptop, cast.chunks.docTag('letter'))).toBe(1)
  expect(areInSync(laptop, desk)).toBe(true)
  expect(cast.types().filter(type => type === 'summary')).toEqual([])
  expect(cast.seen.length).toBeLessThan(8)
})

test('[R54] a restart and a reconnect change nothing: nothing of it is offered, asked for or compared', async () => {
  await cast.inSync(laptop, desk)
  await leave(laptop, [diary()])
  await clock.advance(60_000)
  await cast.restart(laptop)
  expect([...laptop.replica.leftOut]).toEqual([diary()])
  await desk.replica.add([cast.chunks.commit('diary', 'd')])
  cast.seen.splice(0)
  await cast.inSync(laptop, desk)
  await clock.advance(120_000)
  expect(await held(laptop)).toBe(0)
  expect(cast.types().filter(type => type === 'summary' || type === 'want')).toEqual([])
})

test('[R54] after a crash at any moment it is wholly here or wholly left out', async () => {
  await cast.inSync(laptop, desk)
  const outcomes = new Set<string>()
  for (let turns = 0; turns < 40; turns++) {
    const trial = await cast.join(`trial ${turns}`)
    await cast.inSync(desk, trial)
    void trial.replica.leaveOut([diary()], { isForced: true }).catch(() => undefined) // CLOSED, where the crash came first
    for (let i = 0; i < turns; i++) await Promise.resolve()
    await cast.restart(trial)
    outcomes.add(`${trial.replica.leftOut.has(diary())} ${await held(trial)}`)
    expect(await sumOnDisk(trial)).toBe(BigInt(`0x${trial.replica.fingerprint()}`))
  }
  expect([...outcomes].toSorted()).toEqual(['false 3', 'true 0'])
})

test('[R54] two that met for the first time compare what both keep, by summary too', async () => {
  await leave(laptop, [diary()], true)
  await cast.fill(desk, 5, 100)
  await desk.replica.add([cast.chunks.commit('diary', 'z')])
  await cast.inSync(laptop, desk)
  await clock.advance(1_000)
  expect([await held(laptop), await held(desk)]).toEqual([0, 1])
  expect(await held(laptop, cast.chunks.docTag('document 101'))).toBe(1)
  expect(await held(desk, cast.chunks.docTag('document 1'))).toBe(1)
  await clock.advance(120_000)
  expect(areInSync(laptop, desk)).toBe(true)
})

test('[R55] the only one that has it lets go of nothing, unless it is forced to', async () => {
  expect(await leave(laptop, [diary()])).toEqual([diary()])
  expect(await held(laptop)).toBe(3)
  const link = await cast.inSync(laptop, desk)
  link.cut()
  await clock.advance(1_000)
  expect(await leave(laptop, [diary()])).toEqual([diary()]) // it had them, and may have let go since
  expect(await leave(laptop, [diary()], true)).toEqual([])
})

test('[R55] of two that let go of the same at once, neither does; one after the other, the second cannot', async () => {
  await cast.inSync(laptop, desk)
  const [first, second] = await Promise.all([leave(laptop, [diary()]), leave(desk, [diary()])])
  expect([first, second]).toEqual([[diary()], [diary()]])
  expect([await held(laptop), await held(desk)]).toEqual([3, 3])
  expect(await leave(laptop, [diary()])).toEqual([])
  expect(await leave(desk, [diary()])).toEqual([diary()])
})

test('[R55] of a ring of three, each linked to the next, one keeps it, whoever asks when', async () => {
  const phone = await cast.join('phone')
  await cast.inSync(laptop, desk)
  await cast.inSync(desk, phone)
  await cast.inSync(phone, laptop)
  await Promise.all([leave(laptop, [diary()]), leave(desk, [diary()]), leave(phone, [diary()])])
  for (const member of [desk, phone, laptop, desk, phone, laptop]) {
    await leave(member, [diary()])
    await clock.advance(100)
  }
  const counts = [await held(laptop), await held(desk), await held(phone)]
  expect(counts.filter(count => count > 0)).toEqual([3])
})

test('[R55] what was made here and is confirmed by nobody keeps it here', async () => {
  const link = await cast.inSync(laptop, desk)
  link.cut()
  await clock.advance(10)
  await laptop.replica.add([cast.chunks.commit('diary', 'mine')])
  let answer: readonly DocTag[] | undefined
  cast.link(laptop, desk)
  void laptop.replica.leaveOut([diary()]).then(alone => (answer = alone)) // before the two have compared
  await clock.runUntil(() => answer !== undefined)
  expect(answer).toEqual([diary()])
  expect(await held(laptop)).toBe(4)
})

test('[R55] a relay keeps it; one that lets go by itself does not', async () => {
  const relay = await cast.join('relay', WITHOUT_KEYS)
  await cast.inSync(laptop, relay)
  expect(await leave(laptop, [diary()])).toEqual([])
  expect(await held(relay)).toBe(3)
  await clock.advance(60_000)
  expect(areInSync(laptop, relay)).toBe(true)
  const other = await cast.join('other relay', { ...WITHOUT_KEYS, keepsNothing: true })
  const page = cast.chunks.docTag('document 1')
  const phone = await cast.join('phone')
  await phone.replica.add([cast.chunks.commit('document 1', 'first')])
  await cast.inSync(phone, other)
  expect(await leave(phone, [page])).toEqual([page])
})

test('[R56] a peer that leaves something out holds neither that nor everything, and says how much it leaves out', async () => {
  await cast.inSync(laptop, desk)
  expect([desk.replica.confirmedAt(laptop.id, diary()), desk.replica.holdsAll(laptop.id)]).toEqual([true, true])
  await leave(laptop, [diary()])
  await clock.advance(10)
  const says = (): unknown[] => {
    const peer = desk.replica.peers.peek().get(laptop.id)
    return [desk.replica.confirmedAt(laptop.id, diary()), desk.replica.holdsAll(laptop.id), peer?.leavesOut, peer?.unconfirmed]
  }
  expect(says()).toEqual([false, false, 1, 0])
  await desk.replica.add([cast.chunks.commit('diary', 'd')])
  await clock.advance(60_000)
  expect(says()).toEqual([false, false, 1, 0])
  expect(laptop.replica.holdsAll(desk.id)).toBe(true)
  expect(desk.replica.confirmedAt(laptop.id, cast.chunks.docTag('document 3'))).toBe(true)
})

test('[R57] what is taken back comes whole from others, on a live link and after a restart', async () => {
  await cast.inSync(laptop, desk)
  await leave(laptop, [diary()])
  await desk.replica.add([cast.chunks.commit('diary', 'd')])
  await clock.advance(10_000)
  await laptop.replica.takeBack([diary()])
  expect(desk.replica.confirmedAt(laptop.id, diary())).toBe(false)
  await clock.runUntil(() => areEqual(laptop, desk))
  expect(await held(laptop)).toBe(4)

  await leave(laptop, [diary()])
  await clock.advance(10_000)
  await cast.restart(laptop)
  await laptop.replica.takeBack([diary()])
  const claimed: boolean[] = []
  desk.replica.confirmations.subscribe(() => claimed.push(desk.replica.confirmedAt(laptop.id, diary()) && laptop.replica.leftOut.size > 0))
  await cast.inSync(laptop, desk)
  expect([await held(laptop), claimed.includes(true)]).toEqual([4, false])
  expect(laptop.replica.leftOut.size).toBe(0)
})

test('[R57] while what was taken back is on its way, nobody counts on it', async () => {
  await cast.inSync(laptop, desk)
  await leave(laptop, [diary()])
  await cast.restart(laptop)
  await laptop.replica.takeBack([diary()])
  const answers: (readonly DocTag[])[] = []
  cast.link(laptop, desk)
  for (let i = 0; i < 8; i++) {
    void desk.replica.leaveOut([diary()]).then(alone => answers.push(alone))
    await clock.advance(1)
    expect((await held(laptop)) === 3 || (await held(desk)) === 3).toBe(true)
  }
  await clock.runUntil(() => answers.length === 8)
  expect(answers.some(alone => alone.length > 0)).toBe(true)
  expect((await held(laptop)) === 3 || (await held(desk)) === 3).toBe(true)
})

test('[R54] the log and what is group-wide cannot be left out, here or by a peer', async () => {
  await laptop.replica.add([cast.chunks.log('the group')])
  expect(await leave(laptop, [GROUP_DOC_TAG], true)).toEqual([])
  expect([laptop.replica.leftOut.size, laptop.replica.log().count]).toEqual([0, 1])
})

test('[R54] no more is left out than a hello has room for', async () => {
  const tags = Array.from({ length: MAX_EXCEPT_TAGS }, (_, i) => (i + 1).toString(16).padStart(32, '0') as DocTag)
  expect(await leave(laptop, tags, true)).toEqual([])
  await expect(laptop.replica.leaveOut([diary()], { isForced: true })).rejects.toMatchObject({ code: 'NOT_HERE_LIMIT' })
  await cast.inSync(laptop, desk)
  expect(desk.replica.peers.peek().get(laptop.id)?.leavesOut).toBe(MAX_EXCEPT_TAGS)
  expect(areEqual(laptop, desk)).toBe(true)
})

/** As a device of before wrote and read: it knows nothing of what is left out. */
const asBefore = (frame: Uint8Array): Uint8Array => {
  const message = decodeSyncMessage(frame)
  if (!message.ok || message.value.type !== 'hello') return frame
  const { except: _, ...hello } = message.value
  return encodeSyncMessage({ ...hello, versions: { min: 1, current: 4 } })
}

test('[R54] a device of an earlier version is not told, nobody lets go for it, and everything else goes between the two', async () => {
  const said: SyncMessage[] = []
  await leave(laptop, [diary()], true)
  await desk.replica.add([cast.chunks.commit('diary', 'theirs'), cast.chunks.commit('letter', 'x')])
  const acceptOld = (link: DeviceLink): DeviceLinkHandler => {
    const session = desk.replica.attach({ ...link, send: (channel, frame) => link.send(channel, asBefore(frame)) })
    return {
      ...session,
      onFrame(channel, frame) {
        const message = decodeSyncMessage(frame)
        if (message.ok) said.push(message.value)
        return session.onFrame(channel, asBefore(frame))
      },
    }
  }
  linkDevices({ id: laptop.id, accept: link => laptop.replica.attach(link) }, { id: desk.id, accept: acceptOld }, { clock })
  await clock.advance(30_000)
  expect([await held(laptop), await held(laptop, cast.chunks.docTag('letter')), await held(desk)]).toEqual([0, 1, 1])
  await laptop.replica.add([cast.chunks.commit('letter', 'y')])
  await clock.advance(60_000)
  expect(await held(desk, cast.chunks.docTag('letter'))).toBe(2)
  expect(await leave(laptop, [cast.chunks.docTag('letter')])).toEqual([cast.chunks.docTag('letter')])
  expect(said.filter(({ type }) => type === 'except' || type === 'leave')).toEqual([])
})
