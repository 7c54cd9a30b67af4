import { createSubject, type Deletion, type DeviceId, type PeerSync, type TelemetryEvent } from '@segue/core'
import { createGroupCast, createManualClock, createMemoryRecordStore } from '@segue/core/testing'
import type { RecordStore } from '@segue/core/ports'
import { expect, test } from 'vitest'
import { silentLogger } from '../platform/loggers.ts'
import { excess, happened, MAX_NOTICES, NOTICE_KINDS, type KeptNotice, type Notice, type NoticeKind } from './notice.ts'
import { CLOCK_OFF_MS, createNoticeWatch, type NoticeRuntime, type NoticeWatch } from './notice-sources.ts'
import { noticeText } from './notice-text.ts'

const cast = createGroupCast(91)
const [laptop, desk, phone] = [cast.device('laptop'), cast.device('desk'), cast.device('phone')]

test('[O1] what happens again is the same notice, counted up', async () => {
  const { watch, clock } = await setUp()
  watch.sink.record(wrongCode())
  const [first] = watch.notices.peek()
  clock.advance(60_000)
  watch.sink.record(wrongCode())
  expect(watch.notices.peek()).toEqual([{ ...first, count: 2, lastAt: (first?.since ?? 0) + 60_000 }])
})

test('[O1] there are at most so many, and what only informs goes first', () => {
  const many = Array.from({ length: MAX_NOTICES + 3 }, (_, at): KeptNotice =>
    happened(undefined, { kind: at % 10 === 0 ? 'stranger-refused' : 'wrong-code', at }),
  )
  expect(excess(many).map(({ kind, lastAt }) => [kind, lastAt])).toEqual([0, 10, 20].map(at => ['stranger-refused', at]))
})

test('[O2] notices are there after a restart, with nothing but ids, kinds and numbers on disk; a dismissed one is not', async () => {
  const records = createMemoryRecordStore()
  const { watch, group } = await setUp({ records })
  cast.add(group, desk)
  watch.sink.record(wrongCode())
  const before = watch.notices.peek()
  expect(before.map(({ kind }) => kind)).toEqual(['wrong-code', 'device-added'])
  await watch.close()
  for await (const [key, value] of records.list('notices/')) expect(key + new TextDecoder().decode(value)).not.toMatch(/laptop|desk/)

  const again = await setUp({ records, group })
  expect(again.watch.notices.peek()).toEqual(before)
  await again.watch.notices.dismiss('wrong-code')
  await again.watch.close()
  const last = await setUp({ records, group })
  expect(kindsOf(last.watch)).toEqual(['device-added'])
  last.watch.sink.record(wrongCode())
  expect(last.watch.notices.peek()[0]).toMatchObject({ kind: 'wrong-code', count: 1 })
})

test('[O2] [O5] of a state that lasts a dismissed notice comes back only when it began anew', async () => {
  const { watch } = await setUp()
  const relay = phone.id
  const behind = (): void => watch.sink.record({ type: 'relay-behind', relay, kind: 'lost', time: 0 })
  const whole = (): void => watch.sink.record({ type: 'relay-whole', relay, time: 0 })
  behind()
  behind()
  expect(watch.notices.peek()).toMatchObject([{ kind: 'relay-behind', subject: relay, count: 1, endedAt: undefined }])
  whole()
  expect(watch.notices.peek()[0]?.endedAt).toBeDefined()
  behind()
  expect(watch.notices.peek()).toMatchObject([{ count: 2, endedAt: undefined }])
  await watch.notices.dismiss(`relay-behind:${relay}`)
  behind()
  expect(watch.notices.peek()).toEqual([])
  whole()
  behind()
  expect(watch.notices.peek()).toMatchObject([{ count: 1 }])
})

test('[O3] a flood of strangers is one notice, and a write a second', async () => {
  const inner = createMemoryRecordStore()
  let writes = 0
  const records: RecordStore = {
    ...inner,
    write(changes) {
      writes++
      return inner.write(changes)
    },
  }
  const { watch, clock } = await setUp({ records })
  await watch.notices.dismiss('none')
  const before = writes
  for (let second = 0; second < 3; second++) {
    for (let i = 0; i < 1_000; i++) watch.onStranger(phone.id)
    clock.advance(1_000)
    await Promise.resolve()
  }
  await watch.close()
  expect(watch.notices.peek()).toMatchObject([{ kind: 'stranger-refused', subject: undefined, count: 3_000 }])
  expect(writes - before).toBeLessThanOrEqual(4)
})

test('[O4] who came, became an admin and was removed is told of, by whom; not what was so at first', async () => {
  const { watch, group } = await setUp({ isJoined: true })
  expect(watch.notices.peek()).toEqual([])
  cast.add(group, phone)
  expect(watch.notices.peek()).toMatchObject([{ kind: 'device-added', subject: phone.id, by: laptop.id }])
  group.setRole(phone.id, 'admin', 5)
  expect(watch.notices.peek().find(({ kind }) => kind === 'device-promoted')).toMatchObject({ subject: phone.id, by: laptop.id })
  group.remove(phone.id, { time: 6 })
  expect(watch.notices.peek()).toMatchObject([{ kind: 'device-removed', subject: phone.id, by: laptop.id }])
  watch.onStranger(phone.id) // told that it is out, and why
  expect(kindsOf(watch)).toEqual(['device-removed'])
})

test('[O4] what happened while this device was off is told when it is back', async () => {
  const records = createMemoryRecordStore()
  const { watch, group } = await setUp({ records, isJoined: true })
  await watch.close()
  cast.add(group, phone, 'admin')
  const back = await setUp({ records, group })
  expect(back.watch.notices.peek()).toMatchObject([{ kind: 'device-added', subject: phone.id }])
  await back.watch.close()
  const again = await setUp({ records, group })
  expect(again.watch.notices.peek()).toMatchObject([{ count: 1 }])
})

test('[O5] a clock that is off, and what is not understood, are told until they are mended', async () => {
  const { watch } = await setUp({ isJoined: true })
  watch.onClock(desk.id, CLOCK_OFF_MS)
  expect(watch.notices.peek()).toEqual([])
  watch.onClock(desk.id, -CLOCK_OFF_MS - 1)
  watch.onClock(desk.id, -CLOCK_OFF_MS - 2)
  expect(watch.notices.peek()).toMatchObject([{ kind: 'clock-off', subject: desk.id, count: 1, endedAt: undefined }])
  watch.onClock(desk.id, 3)
  expect(watch.notices.peek()[0]?.endedAt).toBeDefined()
  watch.onClock(phone.id, 10 * CLOCK_OFF_MS) // not in the group
  expect(watch.notices.peek()).toHaveLength(1)

  const { group, peers, deletions } = await setUp()
  const state = createSubject({ ...group.state.peek(), needsUpdate: true })
  watch.follow({ group: { id: group.id, state, entries: group.entries }, replica: { peers }, deletions: { list: deletions } })
  expect(watch.notices.peek()).toContainEqual(expect.objectContaining({ kind: 'update-needed', endedAt: undefined }))
  state.set({ ...group.state.peek(), needsUpdate: false })
  expect(watch.notices.peek()).not.toContainEqual(expect.objectContaining({ kind: 'update-needed', endedAt: undefined }))
})

test('[O5] a burst of deletions that waits for a person is told until it was decided', async () => {
  const { watch, deletions } = await setUp({ isJoined: true })
  deletions.set([{ by: desk.id, state: 'gone', why: undefined }])
  expect(watch.notices.peek()).toEqual([])
  deletions.set([1, 2].map(() => ({ by: desk.id, state: 'waiting', why: 'many' })))
  expect(watch.notices.peek()).toMatchObject([{ kind: 'many-deleted', subject: desk.id, count: 1, endedAt: undefined }])
  deletions.set([{ by: desk.id, state: 'gone', why: undefined }])
  expect(watch.notices.peek()[0]?.endedAt).toBeDefined()
})

test('[O6] [O7] a store that went back is told once a run, and not beside a copy', async () => {
  const { watch, peers } = await setUp({ isJoined: true })
  peers.set(new Map([[desk.id, peerSync({ hasGoneBack: true })]]))
  peers.set(new Map([[desk.id, peerSync({ hasGoneBack: true, unconfirmed: 1 })]]))
  expect(watch.notices.peek()).toMatchObject([{ kind: 'store-went-back', subject: desk.id, count: 1 }])
  peers.set(new Map([[desk.id, peerSync({ hasMoreOfUs: true })]]))
  expect(watch.notices.peek()).toHaveLength(2)
  watch.onTwice(desk.id)
  watch.sink.record({ type: 'device-unlinked', device: desk.id, reason: 'same-key-twice', time: 0 })
  expect(
    watch.notices
      .peek()
      .map(({ id }) => id)
      .toSorted(),
  ).toEqual([`same-key-twice:${desk.id}`, `same-key-twice:${laptop.id}`].toSorted())
})

test('[O8] every notice says what happened and what to do, whoever it is about', () => {
  for (const kind of Object.keys(NOTICE_KINDS) as NoticeKind[]) {
    for (const subject of [undefined, laptop.id, desk.id]) {
      const notice: Notice = happened(undefined, { kind, subject, by: desk.id, at: 1, count: 2 })
      const { what, next } = noticeText(notice, { self: laptop.id, nameOf: id => (id === desk.id ? 'desk' : 'laptop') })
      expect([what.length > 20, next.length > 10, /undefined|\[object/.test(what + next)]).toEqual([true, true, false])
    }
  }
  const added: Notice = happened(undefined, { kind: 'device-added', subject: desk.id, at: 1 })
  expect(noticeText(added, { self: laptop.id, nameOf: () => 'desk' }).next).toContain('segue devices remove "desk"')
})

interface SetUp {
  readonly watch: NoticeWatch
  readonly clock: ReturnType<typeof createManualClock>
  readonly group: ReturnType<typeof cast.found>
  readonly deletions: ReturnType<typeof createSubject<readonly Pick<Deletion, 'by' | 'state' | 'why'>[]>>
  readonly peers: ReturnType<typeof createSubject<ReadonlyMap<DeviceId, PeerSync>>>
}

/** On the laptop. isJoined: with the desk in its group from the start. */
async function setUp({
  records = createMemoryRecordStore(),
  group = cast.found(laptop),
  isJoined = false,
}: { readonly records?: RecordStore; readonly group?: SetUp['group']; readonly isJoined?: boolean } = {}): Promise<SetUp> {
  const clock = createManualClock()
  const watch = await createNoticeWatch({ self: laptop.id, records, clock, logger: silentLogger })
  if (isJoined) cast.add(group, desk)
  const peers = createSubject<ReadonlyMap<DeviceId, PeerSync>>(new Map())
  const deletions = createSubject<readonly Pick<Deletion, 'by' | 'state' | 'why'>[]>([])
  const runtime: NoticeRuntime = { group, replica: { peers }, deletions: { list: deletions } }
  watch.follow(runtime)
  return { watch, clock, group, peers, deletions }
}

function wrongCode(): TelemetryEvent {
  return { type: 'pairing-wrong-code', triesLeft: 2, time: 0 }
}

function kindsOf({ notices }: NoticeWatch): readonly NoticeKind[] {
  return notices.peek().map(({ kind }) => kind)
}

function peerSync(more: Partial<PeerSync>): PeerSync {
  return {
    state: 'in-sync',
    behind: 0,
    unconfirmed: 0,
    incarnation: undefined,
    hasGoneBack: false,
    timesGoneBack: 0,
    hasMoreOfUs: false,
    leavesOut: 0,
    isFull: false,
    ...more,
  }
}
