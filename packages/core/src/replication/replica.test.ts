import { beforeEach, describe, expect, test } from 'vitest'
import { compareBytes, equalBytes } from '../lib/bytes.ts'
import type { EpochId } from '../lib/ids.ts'
import { areEqual, createReplicaCast, sumOnDisk, type CastMember, type ReplicaCast } from '../testing/replica-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import { linkDevices } from '../testing/simulated-link.ts'
import { PART_BYTES } from '../wire/limits.ts'
import { decodeSyncMessage, encodeSyncMessage } from '../wire/sync-messages.ts'
import { openSummary } from './summary.ts'
import { unpackOffers } from './sync-records.ts'
import { portableHasher } from '../crypto/hash.ts'
import { parseHeader } from '../crypto/seal.ts'
import type { DeviceLink } from '../ports/device-link.ts'

const settle = (): Promise<void> => new Promise(done => setImmediate(done))

let clock: SimulatedClock
let cast: ReplicaCast
let laptop: CastMember
let desk: CastMember
let phone: CastMember

beforeEach(async () => {
  clock = createSimulatedClock({ settle })
  cast = createReplicaCast(clock)
  laptop = await cast.join('laptop')
  desk = await cast.join('desk')
  phone = await cast.join('phone')
})

describe('meeting', () => {
  test.each([3_000, 10_000])('[R1] an equal reconnect with %i documents is one hello each and under 1 KB', async documents => {
    await cast.fill(laptop, documents)
    const first = await cast.inSync(laptop, desk)
    first.cut()
    await clock.advance(5)
    cast.seen.splice(0)
    const again = cast.link(laptop, desk, { latencyMs: 20 })
    const ms = await clock.runUntil(() => laptop.replica.peers.peek().get(desk.id)?.state === 'in-sync')
    expect(ms).toBe(20)
    await clock.advance(60_000)
    expect(cast.types()).toEqual(['hello', 'hello'])
    expect(again.sent[0].bytes + again.sent[1].bytes).toBeLessThan(1_024)
  })

  test('[R1] wanted documents with a long history cost an equal reconnect nothing', async () => {
    const names = Array.from({ length: 700 }, (_, i) => `edit ${i}`)
    await laptop.replica.add(names.map(name => cast.chunks.commit('report', name)))
    const covers = names.slice(0, 256).map(name => cast.chunks.commit('report', name).id)
    const first = await cast.inSync(laptop, desk)
    await laptop.replica.add([cast.chunks.fragment('report', { level: 1, covers })])
    await clock.advance(5_000)
    first.cut()
    laptop.replica.want([cast.chunks.docTag('report')])
    desk.replica.want([cast.chunks.docTag('report')])
    await clock.advance(5)
    cast.seen.splice(0)
    const again = await cast.inSync(laptop, desk)
    await clock.advance(60_000)
    expect(cast.types()).toEqual(['hello', 'hello'])
    expect(again.sent[0].bytes + again.sent[1].bytes).toBeLessThan(1_024)
  })

  test('[R2] a peer of the far future is told so', async () => {
    let stranger: DeviceLink | undefined
    const closed: string[] = []
    const heard: ReturnType<typeof decodeSyncMessage>[] = []
    const made = linkDevices(
      { id: laptop.id, accept: each => laptop.replica.attach(each) },
      {
        id: desk.id,
        accept: each => {
          stranger = each
          return { onFrame: (_, frame) => void heard.push(decodeSyncMessage(frame)), onClosed: code => void closed.push(code) }
        },
      },
      { clock },
    )
    await clock.advance(1)
    const [hello] = heard
    if (hello?.ok !== true || hello.value.type !== 'hello') throw new Error('no hello')
    await stranger?.send('sync-live', encodeSyncMessage({ ...hello.value, versions: { min: 70, current: 90 } }))
    await clock.advance(1)
    expect(made.closedWith()).toBe('version-unsupported')
    expect(closed).toEqual(['version-unsupported'])
  })

  test('[R3] the whole log is there before the first other chunk', async () => {
    await laptop.replica.add([cast.chunks.log('genesis'), cast.chunks.log('add desk')])
    await desk.replica.add([cast.chunks.log('rename desk')])
    await cast.fill(laptop, 50)
    await cast.inSync(laptop, desk)
    const arrived = desk.arrived.map(chunk => chunk.class)
    expect(arrived.slice(0, 2)).toEqual(['log', 'log'])
    expect(arrived.slice(2)).not.toContain('log')
    expect(laptop.replica.log()).toEqual(desk.replica.log())
    expect(laptop.replica.log().count).toBe(3)
  })

  test('[R4] what differs is found by summary when there is no cursor', async () => {
    await cast.fill(laptop, 300)
    await cast.fill(desk, 300)
    await laptop.replica.add([cast.chunks.commit('document 7', 'here')])
    await desk.replica.add([cast.chunks.commit('document 8', 'there'), cast.chunks.commit('new', 'there')])
    const made = await cast.inSync(laptop, desk)
    expect(areEqual(laptop, desk)).toBe(true)
    expect(cast.types()).toContain('summary')
    expect(laptop.arrived).toHaveLength(2)
    expect(desk.arrived).toHaveLength(1)
    expect(made.sent[0].bytes).toBeLessThan(12_000)
  })

  test('[R4] a usual reconnect sends what arrived since the cursor, without summaries', async () => {
    await cast.fill(laptop, 300)
    const first = await cast.inSync(laptop, desk)
    first.cut()
    await cast.fill(laptop, 20, 1_000)
    cast.seen.splice(0)
    await cast.inSync(laptop, desk)
    expect(areEqual(laptop, desk)).toBe(true)
    expect(cast.types()).not.toContain('summary')
  })

  test('[R4] what little arrived since the cursor is given without being asked for, once, and both are in sync at once', async () => {
    await cast.fill(laptop, 300)
    const first = await cast.inSync(laptop, desk)
    first.cut()
    await cast.fill(laptop, 20, 1_000)
    await cast.fill(desk, 10, 2_000)
    cast.seen.splice(0)
    cast.link(laptop, desk)
    await clock.runUntil(() => areEqual(laptop, desk), { limitMs: 10 })
    await clock.advance(100) // far less than a comparison that found a difference would wait before the next
    expect(laptop.replica.peers.peek().get(desk.id)).toMatchObject({ state: 'in-sync', unconfirmed: 0 })
    expect(cast.types()).not.toContain('want')
    expect(cast.seen.flatMap(({ message }) => (message.type === 'chunks' ? message.chunks : []))).toHaveLength(30)
  })

  test('[R4] what is much is offered by name: somebody else may be giving it already', async () => {
    const first = await cast.inSync(laptop, desk)
    first.cut()
    await cast.fill(laptop, 2_000)
    cast.seen.splice(0)
    await cast.inSync(laptop, desk)
    expect(areEqual(laptop, desk)).toBe(true)
    expect(cast.types()).toContain('want')
  })

  test('[R5] a replica restored from a backup is compared, not believed', async () => {
    await cast.fill(laptop, 20)
    const backup = laptop.store.crash()
    await cast.restart(laptop)
    await cast.fill(laptop, 5, 100)
    const first = await cast.inSync(laptop, desk)
    first.cut()
    laptop.store = backup
    await cast.restart(laptop)
    await cast.fill(laptop, 9, 200)
    cast.link(laptop, desk)
    await clock.runUntil(() => areEqual(laptop, desk), { limitMs: 500 }) // at once, not by a later repair
    expect(laptop.store.size().chunks).toBe(34)
    expect(desk.store.size().chunks).toBe(34)
  })

  test('[R6] a page with a scope gets only its documents and the log', async () => {
    await laptop.replica.add([cast.chunks.log('genesis')])
    await cast.fill(laptop, 30)
    const scope = [cast.chunks.docTag('document 3'), cast.chunks.docTag('document 4')]
    await cast.inSync(laptop, phone, { scopes: [{}, { scope }] })
    expect(phone.arrived.map(chunk => chunk.docTag).sort()).toEqual([...scope, cast.chunks.log('genesis').docTag].sort())
    await laptop.replica.add([cast.chunks.commit('document 3', 'live'), cast.chunks.commit('document 9', 'live')])
    await clock.advance(100)
    expect(phone.arrived).toHaveLength(4)
  })
})

describe('the summary', () => {
  test('[R7] after a crash in the middle of writing it equals what is on disk', async () => {
    await cast.fill(laptop, 10)
    const release = laptop.store.holdWrites()
    void cast.fill(laptop, 10, 100).catch(() => undefined)
    await settle()
    await cast.restart(laptop)
    release()
    expect((await openSummary(laptop.store)).root()).toBe(await sumOnDisk(laptop))
    expect(laptop.store.size().chunks).toBe(10)
  })

  test('[R8] of two variants of a register the greater stays, in any order', async () => {
    const older = cast.chunks.register('session', 'claim', 1, 'one')
    const [a, b] = [cast.chunks.register('session', 'claim', 2, 'a'), cast.chunks.register('session', 'claim', 2, 'b')]
    for (const chunk of [older, a, b]) await laptop.replica.add([chunk])
    for (const chunk of [b, a, older]) await desk.replica.add([chunk])
    const [greater] = [a, b].sort((x, y) => compareBytes(portableHasher.sha256(y.bytes), portableHasher.sha256(x.bytes)))
    expect((await laptop.store.get(a.id))?.bytes).toEqual(greater?.bytes)
    expect((await desk.store.get(a.id))?.bytes).toEqual(greater?.bytes)
    expect(areEqual(laptop, desk)).toBe(true)
    await cast.inSync(laptop, desk)
    await laptop.replica.add([cast.chunks.register('session', 'claim', 3, 'three')])
    await clock.advance(50)
    expect((await desk.store.head(a.id))?.sequence).toBe(3)
    expect(await sumOnDisk(desk)).toBe(await sumOnDisk(laptop))
  })

  test('[R9] commits go in the batch that writes the fragment containing them', async () => {
    const commits = ['a', 'b', 'c'].map(name => cast.chunks.commit('report', name))
    await laptop.replica.add(commits)
    const fragment = cast.chunks.fragment('report', { level: 1, covers: commits.slice(0, 2).map(({ id }) => id) })
    laptop.store.failWrites(new Error('full'))
    const written = laptop.replica.add([fragment])
    await clock.advance(100)
    expect(laptop.store.size().chunks).toBe(3)
    laptop.store.failWrites(undefined)
    await clock.advance(2_000)
    await written
    expect(new Set((await laptop.store.listDocument(fragment.docTag)).map(({ id }) => id))).toEqual(new Set([fragment.id, commits[2]?.id]))
    expect(BigInt(`0x${laptop.replica.fingerprint()}`)).toBe(await sumOnDisk(laptop))
  })

  test('[R10] one side has compacted: the other takes the fragment and gives no covered commit', async () => {
    const commits = Array.from({ length: 20 }, (_, i) => cast.chunks.commit('report', `edit ${i}`))
    await laptop.replica.add(commits)
    await desk.replica.add(commits)
    await desk.replica.add([cast.chunks.fragment('report', { level: 1, covers: commits.map(({ id }) => id) })])
    await cast.inSync(laptop, desk)
    expect(areEqual(laptop, desk)).toBe(true)
    expect(laptop.store.size().chunks).toBe(1)
    expect(desk.arrived).toEqual([])
  })

  test('[R10] a covered commit that is pushed again is not stored', async () => {
    const commit = cast.chunks.commit('report', 'edit')
    await desk.replica.add([cast.chunks.fragment('report', { level: 1, covers: [commit.id] })])
    await cast.inSync(laptop, desk)
    await cast.restart(desk)
    await cast.inSync(laptop, desk)
    await laptop.replica.add([commit])
    await clock.advance(60_000)
    expect(await desk.store.head(commit.id)).toBeUndefined()
    expect(areEqual(laptop, desk)).toBe(true)
  })
})

describe('moving', () => {
  test('[R11] an edit is at the other device before it is durable here', async () => {
    await cast.inSync(laptop, desk)
    const release = laptop.store.holdWrites()
    const edit = cast.chunks.commit('report', 'edit')
    const written = laptop.replica.add([edit])
    await clock.advance(2)
    expect(desk.arrived.map(({ id }) => id)).toEqual([edit.id])
    release()
    await written
  })

  test('[R12] wanted documents come first, then fragments, then commits', async () => {
    await cast.fill(laptop, 200)
    const covered = cast.chunks.commit('other', 'x')
    await laptop.replica.add([cast.chunks.fragment('other', { level: 1, covers: [covered.id] })])
    desk.replica.want([cast.chunks.docTag('document 150')])
    await cast.inSync(laptop, desk)
    const carried = cast.seen.flatMap(({ message }) => (message.type === 'chunks' ? message.chunks : [])).map(parseHeader)
    expect(carried.slice(0, 2).map(header => header.ok && header.value.docTag)).toEqual(['document 150', 'other'].map(cast.chunks.docTag))
  })

  test('[R44] of two wanted documents only the one that changed is listed', async () => {
    for (const member of [laptop, desk]) await cast.fill(member, 300)
    const first = await cast.inSync(laptop, desk)
    first.cut()
    await laptop.replica.add(Array.from({ length: 1_000 }, (_, i) => cast.chunks.commit('document 8', `edit ${i}`)))
    desk.replica.want(['document 7', 'document 8'].map(cast.chunks.docTag))
    cast.seen.splice(0)
    await cast.inSync(laptop, desk)
    const listed = cast.seen.flatMap(({ message }) => (message.type === 'have' ? (unpackOffers(message.items) ?? []) : []))
    expect(new Set(listed.map(({ docTag }) => docTag))).toEqual(new Set([cast.chunks.docTag('document 8')]))
    expect(areEqual(laptop, desk)).toBe(true)
  })

  test('[R12] two holders share the work: nothing comes twice', async () => {
    await cast.fill(laptop, 500)
    await cast.fill(desk, 500)
    cast.link(laptop, phone)
    cast.link(desk, phone)
    await clock.runUntil(() => areEqual(laptop, phone))
    const carried = cast.seen.flatMap(({ message }) => (message.type === 'chunks' ? message.chunks : []))
    expect(carried).toHaveLength(500)
  })

  test('[R14] a large chunk comes in parts, whole', async () => {
    const large = cast.chunks.commit('report', 'import', { bytes: 3 * PART_BYTES + 17 })
    await laptop.replica.add([large])
    await cast.inSync(laptop, desk)
    expect(equalBytes((await desk.store.get(large.id))?.bytes ?? new Uint8Array(), large.bytes)).toBe(true)
    expect(cast.types().filter(type => type === 'part')).toHaveLength(4)
  })

  test('[R14] a link that dies between parts leaves nothing', async () => {
    const large = cast.chunks.commit('report', 'import', { bytes: 3 * PART_BYTES })
    await laptop.replica.add([large])
    const made = cast.link(laptop, desk, { bytesPerSecond: 1_000_000 })
    await clock.advance(1_200)
    made.cut()
    await clock.advance(1_000)
    expect(desk.store.size().chunks).toBe(0)
    await cast.inSync(laptop, desk)
    expect(areEqual(laptop, desk)).toBe(true)
  })

  test('[R15] a spoiled chunk is rejected by name and fetched from another', async () => {
    const good = cast.chunks.commit('report', 'edit')
    await laptop.replica.add([cast.chunks.spoiled(good)])
    await desk.replica.add([good])
    cast.link(laptop, phone)
    cast.link(desk, phone)
    await clock.advance(5_000)
    expect((await phone.store.get(good.id))?.bytes).toEqual(good.bytes)
    expect(phone.arrived).toHaveLength(1)
    expect(cast.seen.filter(({ type }) => type === 'reject').map(({ to }) => to)).toEqual(['laptop'])
    expect((await laptop.store.get(good.id))?.bytes).not.toEqual(cast.chunks.spoiled(good).bytes)
  })

  test('[R16] what a dying link did not bring is asked of another', async () => {
    await cast.fill(laptop, 400)
    await cast.fill(desk, 400)
    const slow = cast.link(laptop, phone, { bytesPerSecond: 30_000 })
    await clock.advance(1_500)
    cast.link(desk, phone)
    await clock.advance(200)
    slow.cut()
    await clock.runUntil(() => areEqual(laptop, phone))
  })

  test('[R17] a chunk of an unknown epoch waits unread, without receipt, until the key comes', async () => {
    const epoch = '22'.repeat(16) as EpochId
    desk.missing.add(epoch)
    const secret = cast.chunks.commit('report', 'secret', { epoch })
    await laptop.replica.add([secret])
    cast.link(laptop, desk)
    await clock.advance(60_000)
    expect(desk.store.size().chunks).toBe(1)
    expect(desk.arrived).toEqual([])
    expect(laptop.replica.confirmedAt(desk.id, secret.docTag)).toBe(false)
    desk.missing.clear()
    await desk.replica.onKeysChanged()
    await clock.advance(60_000)
    expect(desk.arrived.map(({ id }) => id)).toEqual([secret.id])
    expect(laptop.replica.confirmedAt(desk.id, secret.docTag)).toBe(true)
  })

  test('[R17] a chunk that a key came for while it was on its way to the disk is read', async () => {
    const epoch = '22'.repeat(16) as EpochId
    desk.missing.add(epoch)
    const secret = cast.chunks.commit('report', 'secret', { epoch })
    await laptop.replica.add([secret])
    const release = desk.store.holdWrites()
    cast.link(laptop, desk)
    await clock.advance(1_000)
    desk.missing.clear()
    await desk.replica.onKeysChanged()
    release()
    await clock.advance(60_000)
    expect(desk.arrived.map(({ id }) => id)).toEqual([secret.id])
  })

  test('[R18] a keyless replica passes chunks on at once', async () => {
    const relay = await cast.join('relay', { keyless: true })
    await cast.inSync(laptop, relay)
    await cast.inSync(desk, relay)
    await laptop.replica.add([cast.chunks.commit('report', 'edit')])
    await clock.advance(2)
    expect(desk.arrived).toHaveLength(1)
  })

  test('[R19] a snapshot is found at whoever has one, and counts for nothing else', async () => {
    const docTag = cast.chunks.docTag('report')
    await cast.inSync(laptop, desk)
    await cast.inSync(laptop, phone)
    const before = phone.replica.fingerprint()
    const sealed = new Uint8Array(PART_BYTES + 5).fill(7)
    await phone.replica.putSnapshot(docTag, sealed)
    expect(phone.replica.fingerprint()).toBe(before)
    const found = laptop.replica.requestSnapshot(docTag)
    await clock.advance(100)
    expect(equalBytes((await found) ?? new Uint8Array(), sealed)).toBe(true)
    await phone.replica.putSnapshot(docTag, undefined)
    const none = laptop.replica.requestSnapshot(docTag)
    await clock.advance(100)
    expect(await none).toBeUndefined()
  })
})
