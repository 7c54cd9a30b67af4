/** Random days of three devices and a relay that write, let go, take back, meet, part and crash. */
import { expect, test } from 'vitest'
import type { ChunkId, DocTag } from '../lib/ids.ts'
import { createReplicaCast, type CastMember } from '../testing/replica-cast.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { createSimulatedClock } from '../testing/simulated-clock.ts'
import type { SimulatedLink } from '../testing/simulated-link.ts'
import { keylessInspector } from './keyless-inspector.ts'

const WITHOUT_KEYS = { keyless: true, inspector: keylessInspector }
const DOCUMENTS = ['diary', 'letter']
const STEPS = 60

test.each(Array.from({ length: 24 }, (_, i) => i + 1))(
  '[R54] [R55] [R57] day %i: nothing is lost to everybody, and in the end each holds just what it keeps',
  async seed => {
    const clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
    const cast = createReplicaCast(clock, { seed })
    const random = createSeededRandom(seed)
    const pick = <T>(all: readonly T[]): T => all[(random.bytes(1)[0] as number) % all.length] as T
    const devices = [await cast.join('laptop'), await cast.join('desk'), await cast.join('phone')]
    const relay = seed % 4 === 0 ? await cast.join('relay', WITHOUT_KEYS) : undefined // where there is one it has nearly everything
    const everybody = relay === undefined ? devices : [...devices, relay]
    const pairs = everybody.flatMap((a, i) => everybody.slice(i + 1).map(b => [a, b] as const))
    const links = new Map<(typeof pairs)[number], SimulatedLink>()
    const made = new Map<DocTag, Set<ChunkId>>()
    const tagOf = (name: string): DocTag => cast.chunks.docTag(name)
    let count = 0

    const write = async (at: CastMember): Promise<void> => {
      const name = pick(DOCUMENTS)
      if (at.replica.leftOut.has(tagOf(name))) return
      const chunk = cast.chunks.commit(name, `change ${count++}`)
      await at.replica.add([chunk])
      if ((await at.store.get(chunk.id)) === undefined) return // it was let go in that very moment
      made.set(chunk.docTag, (made.get(chunk.docTag) ?? new Set()).add(chunk.id))
    }
    /** One of them, or several at the same moment. */
    const leave = async (): Promise<void> => {
      const docTag = tagOf(pick(DOCUMENTS))
      const leaving = pick([devices, [pick(devices)]]).map(({ replica }) => replica.leaveOut([docTag]))
      let isOver = false
      void Promise.allSettled(leaving).then(() => (isOver = true))
      if (pick([true, true, false])) await clock.runUntil(() => isOver)
    }
    const part = (pair: (typeof pairs)[number]): void => {
      links.get(pair)?.cut()
      links.delete(pair)
    }
    const restart = async (at: CastMember): Promise<void> => {
      for (const pair of pairs) if (pair.includes(at)) part(pair)
      await cast.restart(at, at === relay ? WITHOUT_KEYS : {})
    }
    const meet = (pair: (typeof pairs)[number]): void => void (links.has(pair) || links.set(pair, cast.link(...pair)))
    const isSomewhere = async (id: ChunkId): Promise<boolean> => {
      for (const { store } of everybody) if ((await store.get(id)) !== undefined) return true
      return false
    }

    for (let step = 0; step < STEPS; step++) {
      const at = pick(devices)
      const what = pick(['write', 'write', 'leave', 'leave', 'leave', 'take', 'meet', 'meet', 'meet', 'part', 'restart'])
      if (what === 'write') await write(at)
      if (what === 'leave') await leave()
      if (what === 'take') await at.replica.takeBack([...at.replica.leftOut].slice(0, 1))
      if (what === 'meet') meet(pick(pairs))
      if (what === 'part') part(pick(pairs))
      if (what === 'restart') await restart(pick(everybody))
      await clock.advance(pick([0, 1, 2, 10, 1_000, 10_000]))
      for (const ids of made.values()) for (const id of ids) expect(await isSomewhere(id), `step ${step}, ${what}`).toBe(true)
    }

    for (const pair of pairs) meet(pair)
    await clock.advance(120_000)
    for (const member of everybody) {
      for (const other of everybody) if (other !== member) expect(member.replica.peers.peek().get(other.id)?.state).toBe('in-sync')
      for (const [docTag, ids] of made) {
        const held = (await member.store.listDocument(docTag)).map(({ id }) => id)
        expect(new Set(held)).toEqual(member.replica.leftOut.has(docTag) ? new Set() : ids)
      }
    }
    await Promise.all(everybody.map(({ replica }) => replica.close()))
  },
)
