/** Invariant I5 over random days: edits, a removal at a random moment, and what the removed device wrote, brought by others in any order. */
import * as A from '@automerge/automerge'
import type { DocHandle, DocumentId } from '@automerge/automerge-repo'
import { expect, test } from 'vitest'
import { openChunk } from '../../crypto/index.ts'
import { createBlindDevice } from '../../testing/blind-device.ts'
import { createDocumentCast, type DocumentDevice } from '../../testing/document-cast.ts'
import { createSeededRandom } from '../../testing/seeded-random.ts'
import { createSimulatedClock } from '../../testing/simulated-clock.ts'
import { readCommit } from '../commit.ts'
import { GRACE_MS } from './contract.ts'

interface Note {
  text: string
}

const FIRST_WORD = 0x4e00
const SEEDS = Array.from({ length: Number(process.env['LATE_SEEDS'] ?? 2) }, (_, i) => i + Number(process.env['LATE_FROM'] ?? 1))

const DAYS = SEEDS.flatMap(seed =>
  (['one removal', 'two removals', 'one that is outranked'] as const).map(removals => [seed, removals] as const),
)

test.each(DAYS)(
  '[I5] [D42] of late edits only what an active device held before it knew is applied, on all devices the same (seed %i, %s)',
  async (seed, removals) => {
    const random = createSeededRandom(seed)
    const clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
    const cast = createDocumentCast(clock, { seed, withLog: true })
    const within = async <T>(promise: Promise<T>): Promise<T> => {
      let isSettled = false
      const settled = promise.finally(() => (isSettled = true))
      settled.catch(() => undefined)
      await clock.runUntil(() => isSettled, { limitMs: 600_000 })
      return settled
    }
    const laptop = await cast.join('laptop')
    const [desk, tablet, phone] = [await cast.join('desk'), await cast.join('tablet'), await cast.join('phone')]
    const relays = [await createBlindDevice(clock, 'relay'), await createBlindDevice(clock, 'second relay')]
    /** With two removals the desk goes too, after it vouched for this and that. */
    const isTwice = removals === 'two removals'
    /** The desk, a later admin, removes the phone, and then the laptop does, which has not heard of it. */
    const isOutranked = removals === 'one that is outranked'
    const gone = new Set([phone])
    const active = (): readonly DocumentDevice[] => [laptop, desk, tablet].filter(device => !gone.has(device))
    const notes: DocumentId[] = []
    const honest = new Map<DocumentId, Set<string>>()
    const phones = new Map<DocumentId, Set<string>>()
    /** Of the phone's: held by somebody at the moment it learned. What nobody held, written before or after, is late. */
    const allowed = new Set<string>()
    const knowing = new Set<DocumentDevice>()
    let words = 0

    const knows = (device: DocumentDevice): boolean => device.group.removalOf(phone.id) !== undefined
    const open = (device: DocumentDevice, id: DocumentId): Promise<DocHandle<Note>> => within(device.documents.open<Note>(id))
    const textOf = async (device: DocumentDevice, id: DocumentId): Promise<string> => (await open(device, id)).doc().text
    const hasNote = async (device: DocumentDevice, id: DocumentId): Promise<boolean> =>
      (await within(device.documents.headsOf(id))).length > 0
    const write = async (device: DocumentDevice): Promise<void> => {
      const id = random.pick(notes)
      if (!(await hasNote(device, id))) return
      const word = String.fromCodePoint(FIRST_WORD + words++) // one character: nothing can come between
      const handle = await open(device, id)
      handle.change(doc => A.splice(doc, ['text'], random.below(doc.text.length + 1), 0, word))
      if (device === phone) phones.get(id)?.add(word)
      else if (device !== desk || !isTwice) honest.get(id)?.add(word)
      if (random.chance(0.7)) await clock.advance(1_500)
    }
    const heldBy = async (device: DocumentDevice): Promise<readonly string[]> => {
      const words: string[] = []
      for (const id of notes) {
        if (!(await hasNote(device, id))) continue
        const text = await textOf(device, id)
        for (const word of phones.get(id) ?? []) if (text.includes(word)) words.push(word)
      }
      return words
    }
    const meet = async (a: DocumentDevice, b: DocumentDevice): Promise<void> => {
      const learners = [a, b].filter(device => active().includes(device) && !knowing.has(device))
      const held = new Map<DocumentDevice, readonly string[]>()
      for (const device of learners) held.set(device, await heldBy(device))
      const link = cast.link(a, b)
      await clock.advance(random.pick([400, 2_000, 8_000]))
      link.cut()
      await clock.advance(50)
      for (const [device, words] of held) {
        if (!knows(device)) continue
        knowing.add(device)
        for (const word of words) allowed.add(word)
      }
    }
    /** Who knows of a removal lets the removed device in no more. */
    const mayMeet = (device: DocumentDevice, other: DocumentDevice): boolean =>
      relays.includes(device) || relays.includes(other) || device.group.removalOf(other.id) === undefined
    const step = async (): Promise<void> => {
      const device = random.pick([laptop, desk, tablet, phone])
      switch (random.below(8)) {
        case 0:
        case 1:
        case 2:
          return write(device)
        case 3: {
          const others = [laptop, desk, tablet, ...relays].filter(
            other => other !== device && mayMeet(device, other) && mayMeet(other, device),
          )
          return meet(device, random.pick(others))
        }
        case 4:
          return meet(random.pick(active()), random.pick(relays))
        case 5:
          return within(device.documents.evict(random.pick(notes)))
        case 6: {
          const id = random.pick(notes)
          if (device !== laptop && (await hasNote(device, id))) await within(device.documents.compact(id))
          return
        }
        case 7:
          await within(device.documents.flush())
          await clock.advance(1_100)
          return cast.restart(device)
      }
    }

    for (let i = 0; i < 2; i++) {
      const note = await within(laptop.documents.create<Note>(doc => void (doc.text = '')))
      for (let letter = 0; letter < 300 * i; letter++) note.change(doc => A.splice(doc, ['text'], 0, 0, '.'))
      notes.push(note.documentId)
      honest.set(note.documentId, new Set())
      phones.set(note.documentId, new Set())
    }
    await clock.advance(2_000)
    for (const other of [desk, tablet, phone]) await meet(laptop, other)
    for (let i = random.below(20); i > 0; i--) await step()
    await clock.advance(2_000)
    const removePhone = async (by: DocumentDevice): Promise<void> => {
      if (knows(by)) return
      for (const word of await heldBy(by)) allowed.add(word)
      by.group.remove(phone.id, { time: clock.now() })
      knowing.add(by)
    }
    if (isOutranked) {
      laptop.group.setRole(desk.id, 'admin', clock.now())
      await meet(laptop, desk)
    }
    await removePhone(isOutranked ? desk : laptop)
    for (let i = 30; i > 0; i--) {
      if (isOutranked && i === 15) await removePhone(laptop)
      if (isTwice && i === 12) {
        laptop.group.remove(desk.id, { time: clock.now() })
        gone.add(desk)
      }
      if (random.chance(0.2)) await write(phone)
      else if (random.chance(0.15)) await meet(phone, random.pick(relays))
      else await step()
    }
    // Whoever still has to learn of it does, then everything is everywhere.
    const staying = active()
    for (const device of random.shuffle(staying)) if (device !== laptop) await meet(laptop, device)
    for (const device of staying) if (!knowing.has(device)) await meet(laptop, device)
    // And of what the phone goes on to write only relays hear.
    for (let i = 3; i > 0; i--) await write(phone)
    for (const device of gone) await meet(device, random.pick(relays))
    const everybody = [...staying, ...relays]
    for (const [i, a] of everybody.entries()) for (const b of everybody.slice(i + 1)) cast.link(a, b)
    await clock.advance(3 * GRACE_MS)
    const settled = (): boolean => new Set(everybody.map(({ replica }) => replica.fingerprint())).size === 1
    await clock.runUntil(settled, { limitMs: 600_000 })
    for (const device of staying) await within(device.documents.late?.settled() ?? Promise.resolve())
    await clock.advance(3 * GRACE_MS)

    for (const id of notes) {
      const heads = await within(laptop.documents.headsOf(id))
      for (const device of staying) {
        expect(await within(device.documents.headsOf(id))).toEqual(heads)
        const text = await textOf(device, id)
        for (const word of honest.get(id) ?? []) expect(text).toContain(word)
        // What the desk held of it, and nobody else did, is late as well when the desk goes.
        for (const word of isTwice ? [] : (phones.get(id) ?? [])) expect([word, text.includes(word)]).toEqual([word, allowed.has(word)])
      }
    }
    const listed = staying.map(device => (device.documents.late?.list.peek() ?? []).map(({ id, kind, edits }) => ({ id, kind, edits })))
    for (const list of listed) expect(list).toEqual(listed[0])

    // Nothing was lost either: what a person accepts is all there, on every device.
    const next = (): string | undefined => laptop.documents.late?.list.peek()[0]?.id // one may take another with it
    for (let id = next(); id !== undefined; id = next()) await within(laptop.documents.late?.decide(id, 'accept') ?? Promise.resolve())
    await clock.advance(3 * GRACE_MS)
    for (const device of staying) {
      expect(device.documents.late?.list.peek()).toEqual([])
      for (const id of notes) {
        const doc = (await open(device, id)).doc()
        for (const hash of await commitsOf(device, id)) expect(A.hasHeads(doc, [hash])).toBe(true)
        expect(A.getHeads(doc).toSorted()).toEqual(await within(laptop.documents.headsOf(id)))
      }
    }
    await cast.close()
  },
  120_000,
)

/** Of every change that lies there by itself. */
async function commitsOf(device: DocumentDevice, id: DocumentId): Promise<readonly string[]> {
  const records = (await device.store.listDocument(device.documents.docTagOf(id))).filter(record => record.class === 'commit')
  return (await device.store.getMany(records.map(record => record.id))).flatMap(chunk => {
    const opened = openChunk(chunk, device.keyring.secretOf(chunk.epoch) as Uint8Array)
    const commit = opened.ok ? readCommit(opened.value.content) : opened
    return commit.ok ? [commit.value.hash] : []
  })
}
