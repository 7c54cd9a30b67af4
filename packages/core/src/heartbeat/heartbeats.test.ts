import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { GROUP_DOCUMENT_ID, registerContentKey, sealChunk } from '../crypto/index.ts'
import type { EpochId } from '../lib/ids.ts'
import { MINUTE_MS, SECOND_MS } from '../lib/units.ts'
import { createHeartbeatCast, type BeatingDevice, type HeartbeatCast, type RelayView } from '../testing/heartbeat-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { createHeartbeatCarrier, HEARTBEAT_NAME } from './heartbeat.ts'

let clock: SimulatedClock
let cast: HeartbeatCast
let laptop: BeatingDevice
let desk: BeatingDevice

beforeEach(async () => {
  clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  cast = createHeartbeatCast(clock)
  laptop = await cast.join('laptop')
  desk = await cast.join('desk')
})
afterEach(() => cast.close())

const kindOf = (one: BeatingDevice, { mailbox }: RelayView): string | undefined => one.beats.troubles.peek().get(mailbox)?.kind
const devicesIn = (one: BeatingDevice, { mailbox }: RelayView): unknown => one.beats.troubles.peek().get(mailbox)?.devices
/** Everything that a device ever named, in order. */
const history = (one: BeatingDevice): string[] => {
  const kinds: string[] = []
  one.beats.troubles.subscribe(troubles => void kinds.push([...troubles.values()].map(({ kind }) => kind).join() || 'whole'))
  return kinds
}
/** The laptop writes and rests until its heartbeat says that the relay has had it for a while. */
async function leaveOn(relay: RelayView): Promise<void> {
  cast.link(laptop, relay)
  await cast.note(laptop, 'for the desk')
  await clock.advance(6 * MINUTE_MS)
}

describe('beating', () => {
  test("[T3] at most one heartbeat a minute, only after a change, never because of another's; a quiet group falls silent", async () => {
    cast.link(laptop, desk)
    const note = await cast.note(laptop, '0')
    await clock.advance(10 * SECOND_MS)
    expect([laptop.written.length, desk.written.length]).toEqual([1, 1])
    for (let i = 0; i < 50; i++) {
      note.change(doc => void (doc.text = String(i)))
      await clock.advance(6 * SECOND_MS)
    }
    for (const { written } of [laptop, desk]) {
      expect(written.length).toBeLessThanOrEqual(7)
      expect(written.slice(1).every((at, i) => at - (written[i] as number) >= MINUTE_MS)).toBe(true)
    }
    await clock.advance(2 * MINUTE_MS)
    const before = [laptop.written.length, desk.written.length]
    await clock.advance(60 * MINUTE_MS)
    expect([laptop.written.length, desk.written.length]).toEqual(before)
  })

  test('[T3] [T6] that a relay has everything is told once, when it has had it for two minutes; then it is quiet', async () => {
    const relay = await cast.relay('relay')
    cast.link(laptop, relay)
    await cast.note(laptop, 'one')
    await clock.advance(2 * MINUTE_MS)
    expect(laptop.written).toHaveLength(1)
    await clock.advance(2 * MINUTE_MS)
    expect(laptop.written).toHaveLength(2)
    await clock.advance(60 * MINUTE_MS)
    expect(laptop.written).toHaveLength(2)
  })

  test('[T13] what is not held any more, deleted or left out, counts no more; whoever leaves something out does not have the same', async () => {
    cast.link(laptop, desk)
    await cast.note(laptop, 'stays')
    const note = await cast.note(laptop, 'goes')
    const other = await cast.note(laptop, 'goes from the desk')
    await clock.advance(3 * MINUTE_MS)
    expect(laptop.beats.heard.peek().get(desk.device.id)?.hasSame).toBe(true)
    const tagOf = (id: typeof note.documentId): ReturnType<typeof laptop.device.documents.docTagOf> => laptop.device.documents.docTagOf(id)
    for (const { device } of [laptop, desk]) await device.replica.drop([tagOf(note.documentId)])
    const phone = await cast.join('phone')
    cast.link(laptop, phone)
    await clock.advance(3 * MINUTE_MS)
    expect(laptop.beats.heard.peek().get(phone.device.id)?.hasSame).toBe(true)
    let isLeft = false
    void desk.device.replica.leaveOut([tagOf(other.documentId)], { isForced: true }).then(() => (isLeft = true))
    await clock.runUntil(() => isLeft)
    await clock.advance(3 * MINUTE_MS)
    expect(laptop.beats.heard.peek().get(desk.device.id)?.hasSame).toBe(false)
    expect(laptop.beats.heard.peek().get(phone.device.id)?.hasSame).toBe(true)
  })

  test('[T4] what lies under its name and is not signed by it does not end its counting', async () => {
    const foreign = sealChunk({
      keys: laptop.device.keyring,
      epoch: 'ee'.repeat(16) as EpochId,
      epochSecret: new Uint8Array(32).fill(7),
      class: 'register',
      documentId: GROUP_DOCUMENT_ID,
      contentKey: registerContentKey(HEARTBEAT_NAME, laptop.device.id),
      sequence: Number.MAX_SAFE_INTEGER,
      content: new Uint8Array(100),
      random: createSeededRandom(1),
    })
    await laptop.device.store.apply({ put: [{ ...foreign, live: true }] })
    cast.link(laptop, desk)
    await cast.note(laptop, 'one')
    await clock.advance(2 * MINUTE_MS)
    expect(desk.beats.heard.peek().get(laptop.device.id)?.counter).toBe(1)
  })

  test('[T4] a device that restarts counts on, above the greatest that it sees of its own', async () => {
    await cast.note(laptop, 'one')
    cast.link(laptop, desk)
    await clock.advance(2 * MINUTE_MS)
    await cast.restart(laptop)
    await cast.note(laptop, 'two')
    cast.link(laptop, desk)
    await clock.advance(2 * MINUTE_MS)
    expect(desk.beats.heard.peek().get(laptop.device.id)?.counter).toBe(2)
    expect(laptop.written).toHaveLength(2)
  })

  test('[T5] a device is seen to hold the same as this one, however either of them stores it', async () => {
    cast.link(laptop, desk)
    const note = await cast.note(laptop, '')
    for (let i = 0; i < 700; i++) note.change(doc => void (doc.text += 'x'))
    await clock.advance(5 * MINUTE_MS)
    expect(laptop.beats.heard.peek().get(desk.device.id)).toMatchObject({ hasSame: true })
    await laptop.device.documents.compact(note.documentId)
    await clock.advance(5 * MINUTE_MS)
    expect(laptop.beats.heard.peek().get(desk.device.id)).toMatchObject({ hasSame: true })
    const beats = laptop.written.length + desk.written.length
    await clock.advance(5 * MINUTE_MS)
    expect(laptop.written.length + desk.written.length).toBe(beats)
  })

  test('[T5] a device that lacks something is seen to hold something else', async () => {
    const link = cast.link(laptop, desk)
    await cast.note(laptop, 'one')
    await clock.advance(5 * MINUTE_MS)
    link.cut()
    await cast.note(laptop, 'two')
    await clock.advance(5 * MINUTE_MS)
    expect(laptop.beats.heard.peek().get(desk.device.id)).toMatchObject({ hasSame: false })
  })

  test('[T12] a heartbeat covers what was here before a look at the same state, and nothing later', async () => {
    const link = cast.link(laptop, desk)
    await cast.note(laptop, 'one')
    await clock.advance(5 * MINUTE_MS)
    const look = laptop.beats.looks()
    expect(laptop.beats.isCoveredBy(desk.device.id, look)).toBe(false)
    await clock.advance(2 * MINUTE_MS)
    expect(laptop.beats.isCoveredBy(desk.device.id, look)).toBe(true)
    link.cut()
    await cast.note(laptop, 'two')
    const later = laptop.beats.looks()
    await clock.advance(5 * MINUTE_MS)
    expect(laptop.beats.isCoveredBy(desk.device.id, later)).toBe(false)
  })
})

describe('relays', () => {
  test('[T7] a relay that comes back from an old backup is named until it is whole again, whatever it has got meanwhile', async () => {
    const relay = await cast.relay('relay')
    const yesterday = await cast.relay('backup')
    const first = cast.link(laptop, relay)
    await cast.note(laptop, 'yesterday')
    await clock.advance(10 * SECOND_MS)
    for await (const { id } of relay.store.since(0)) {
      const chunk = await relay.store.get(id)
      if (chunk !== undefined) await yesterday.replica.add([chunk])
    }
    await cast.note(laptop, 'today')
    await clock.advance(10 * MINUTE_MS)
    const named = history(laptop)
    first.cut()
    // Others brought it so much that its count of arrivals says nothing.
    for (let i = 0; i < 20; i++) await cast.note(desk, `from the desk ${i}`)
    await cast.restartRelay(relay, yesterday.store)
    cast.link(desk, relay)
    await clock.advance(MINUTE_MS)
    expect(relay.store.lastArrival()).toBeGreaterThan(20)
    cast.link(laptop, relay)
    await clock.advance(MINUTE_MS)
    expect(named).toEqual(['lost', 'whole'])
    expect(relay.replica.fingerprint()).toBe(laptop.device.replica.fingerprint())
  })

  test('[T7] a relay that is set back again, to before anybody said what it holds, is named again', async () => {
    const relay = await cast.relay('relay')
    const backups = [await cast.relay('backup'), await cast.relay('another')]
    let link = cast.link(laptop, relay)
    await cast.note(laptop, 'yesterday')
    await clock.advance(100)
    for await (const { id } of relay.store.since(0)) {
      const chunk = await relay.store.get(id)
      for (const { replica } of backups) if (chunk !== undefined) await replica.add([chunk])
    }
    const named = history(laptop)
    for (const { store } of backups) {
      for (let i = 0; i < 5; i++) await cast.note(laptop, `today ${i}`)
      await clock.advance(10 * MINUTE_MS)
      link.cut()
      await cast.restartRelay(relay, store)
      link = cast.link(laptop, relay)
      await clock.advance(MINUTE_MS)
    }
    expect(named).toEqual(['lost', 'whole', 'lost', 'whole'])
  })

  test('[T8] a relay that is in sync and does not show what another device left there long ago is named after they meet', async () => {
    const [shown, withheld] = [await cast.relay('relay'), await cast.relay('relay')]
    cast.link(desk, withheld)
    await leaveOn(shown)
    expect(kindOf(desk, shown)).toBeUndefined()
    cast.link(laptop, desk)
    await clock.advance(MINUTE_MS)
    expect(kindOf(desk, shown)).toBeUndefined()
    await clock.advance(2 * MINUTE_MS)
    expect(kindOf(desk, shown)).toBe('withholds')
    expect(devicesIn(desk, shown)).toEqual([laptop.device.id])
  })

  test('[T11] it is named until it shows by itself what that device leaves there later', async () => {
    const [shown, withheld] = [await cast.relay('relay'), await cast.relay('relay')]
    cast.link(desk, withheld)
    await leaveOn(shown)
    const meeting = cast.link(laptop, desk)
    await clock.advance(10 * MINUTE_MS)
    meeting.cut()
    expect(kindOf(desk, shown)).toBe('withholds')
    cast.link(desk, shown)
    await cast.note(laptop, 'later')
    await clock.advance(10 * MINUTE_MS)
    expect(kindOf(desk, shown)).toBeUndefined()
  })

  test('[T9] a relay that shows heartbeats and withholds edits is named when the device brings them itself', async () => {
    const [shown, withheld] = [await cast.relay('relay'), await cast.relay('relay')]
    const carrier = createHeartbeatCarrier({ ...laptop.device, random: { bytes: length => new Uint8Array(length) } })
    const pass = shown.replica.subscribe({
      onArrived(chunks) {
        for (const chunk of chunks) if (chunk.id === carrier.chunkIdOf(laptop.device.id)) void withheld.replica.add([chunk])
      },
    })
    cast.link(desk, withheld)
    await leaveOn(shown)
    expect(desk.beats.heard.peek().get(laptop.device.id)).toBeDefined()
    cast.link(laptop, desk)
    await clock.advance(10 * MINUTE_MS)
    expect(kindOf(desk, shown)).toBe('withholds')
    pass()
  })

  test('[T10] an honest relay is never named: work goes on by two ways at once, one of them slow, devices come and go', async () => {
    const relay = await cast.relay('relay')
    const named = [history(laptop), history(desk)]
    let links = [cast.link(laptop, desk), cast.link(laptop, relay), cast.link(desk, relay)]
    const note = await cast.note(laptop, '')
    for (let i = 0; i < 60; i++) {
      note.change(doc => void (doc.text += 'x'))
      if (i % 7 === 0) await cast.note(desk, `note ${i}`)
      if (i % 5 === 0) links[i % 3]?.cut()
      if (i % 5 === 3) {
        for (const link of links) link.cut()
        links = [cast.link(desk, relay), cast.link(laptop, relay), cast.link(laptop, desk)]
      }
      if (i % 20 === 19) {
        for (const link of links) link.cut()
        await cast.restartRelay(relay, relay.store.crash())
        links = [cast.link(laptop, desk), cast.link(laptop, relay), cast.link(desk, relay)]
      }
      await clock.advance(41 * SECOND_MS)
    }
    expect(named).toEqual([[], []])
  })

  test('[T10] a device that hears its neighbour before it hears what the relay sent, or whose link to the relay was dead, names nobody', async () => {
    const [shown, asleep] = [await cast.relay('relay'), await cast.relay('relay')]
    const named = history(desk)
    const dead = cast.link(desk, asleep)
    await leaveOn(shown)
    cast.link(laptop, desk)
    await clock.advance(75 * SECOND_MS)
    dead.cut()
    cast.link(desk, shown)
    await clock.advance(20 * MINUTE_MS)
    expect(named).toEqual([])
  })
})
