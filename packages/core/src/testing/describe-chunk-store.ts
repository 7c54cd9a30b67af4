/** The contract of the chunk store port, for every implementation: memory, Level, and whatever comes later. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { isSegueError } from '../lib/errors.ts'
import type { ChunkId, DocTag, EpochId } from '../lib/ids.ts'
import type { ChunkStore, NewChunk } from '../ports/chunk-store.ts'

export interface ChunkStoreUnderTest {
  readonly store: ChunkStore
  /** Ends the store as a crash does (nothing more is written) and opens what is there then. */
  reopen(): Promise<ChunkStore>
  /** Makes every `apply` fail until the returned function is called. Left out when the implementation cannot be made to. */
  failWrites?(): () => void
  tearDown(): Promise<void>
}

export function describeChunkStore(name: string, setup: () => Promise<ChunkStoreUnderTest>): void {
  const start = async (): Promise<ChunkStoreUnderTest> => {
    const started = await setup()
    onTestFinished(() => started.tearDown())
    return started
  }

  describe(`chunk store contract: ${name}`, () => {
    test('a new store is empty', async () => {
      const { store } = await start()
      expect(await store.get(chunkId(1))).toBeUndefined()
      expect(await store.head(chunkId(1))).toBeUndefined()
      expect(await store.listDocument(docTag(1))).toEqual([])
      expect(await all(store.docTags())).toEqual([])
      expect(await all(store.since(0))).toEqual([])
      expect(store.lastArrival()).toBe(0)
      expect(store.size()).toEqual({ chunks: 0, bytes: 0 })
    })

    test('gives back what was put, as a plain Uint8Array', async () => {
      const { store } = await start()
      const put = chunk(1, { class: 'register', sequence: 2 ** 40 + 7, live: true })
      await store.apply({ put: [put] })
      const stored = await store.get(put.id)
      expect(stored).toEqual({ ...put, arrival: 1, byteLength: put.bytes.length })
      expect(stored?.bytes.constructor).toBe(Uint8Array)
    })

    test('keeps every class and both flags', async () => {
      const { store } = await start()
      const put = (['commit', 'fragment', 'register', 'log'] as const).map((kind, i) => chunk(i, { class: kind, live: i % 2 === 0 }))
      await store.apply({ put })
      expect((await store.listDocument(docTag(1))).map(({ class: kind, live }) => [kind, live])).toEqual([
        ['commit', true],
        ['fragment', false],
        ['register', true],
        ['log', false],
      ])
    })

    for (const length of [0, 1, 2_048, 2_049, 100_000, 8 * 1_024 * 1_024]) {
      test(`keeps ${length} bytes`, async () => {
        const { store, reopen } = await start()
        const put = chunk(1, { bytes: pattern(length, 3) })
        await store.apply({ put: [put] })
        expect((await store.head(put.id))?.byteLength).toBe(length)
        expect(sameBytes((await store.get(put.id))?.bytes, put.bytes)).toBe(true)
        expect(sameBytes((await (await reopen()).get(put.id))?.bytes, put.bytes)).toBe(true)
      })
    }

    test('a head is the chunk without its bytes', async () => {
      const { store } = await start()
      const { bytes, ...header } = chunk(1)
      await store.apply({ put: [{ ...header, bytes }] })
      expect(await store.head(chunkId(1))).toEqual({ ...header, arrival: 1, byteLength: bytes.length })
    })

    test('heads are those of single calls, in the order asked, and what is written after them counts once', async () => {
      const { store } = await start()
      await store.apply({ put: [chunk(1), chunk(2)] })
      expect(await store.heads([])).toEqual([])
      expect(await store.heads([2, 9, 1].map(chunkId))).toEqual([await store.head(chunkId(2)), undefined, await store.head(chunkId(1))])
      await store.heads([chunkId(1), chunkId(3)])
      await Promise.all([store.apply({ put: [chunk(1), chunk(3)] }), store.apply({ put: [chunk(3)] })])
      await Promise.all([store.apply({ put: [chunk(4)] }), store.heads([chunkId(4)])])
      await store.apply({ put: [chunk(4)] })
      expect(store.size()).toEqual({ chunks: 4, bytes: [1, 2, 3, 4].reduce((sum, n) => sum + chunk(n).bytes.length, 0) })
    })

    test('what is emptied keeps its head and its arrival, reads as absent, and is whole again when it is put again', async () => {
      const { store, reopen } = await start()
      const [small, large] = [chunk(1), chunk(2, { bytes: pattern(5_000, 3) })]
      await store.apply({ put: [small, large, chunk(3)] })
      await store.apply({ empty: [small.id, large.id, chunkId(9)] })
      const look = async (opened: ChunkStore): Promise<void> => {
        expect(opened.size()).toEqual({ chunks: 3, bytes: chunk(3).bytes.length })
        expect(await opened.get(small.id)).toBeUndefined()
        expect((await opened.getMany([small.id, large.id, chunkId(3)])).map(({ id }) => id)).toEqual([chunkId(3)])
        expect(await opened.head(large.id)).toMatchObject({ arrival: 2, byteLength: 0, isEmptied: true, live: large.live })
        const heads = await opened.listDocument(docTag(1))
        expect(heads.map(({ arrival, isEmptied }) => [arrival, isEmptied])).toEqual([
          [1, true],
          [2, true],
          [3, undefined],
        ])
        expect((await all(opened.since(0))).map(({ id }) => id)).toEqual([1, 2, 3].map(chunkId))
      }
      await look(store)
      const again = await reopen()
      await look(again)
      await again.apply({ setLive: [{ id: large.id, live: false }], empty: [large.id] })
      expect(await again.head(large.id)).toMatchObject({ live: false, isEmptied: true })
      await again.apply({ put: [large], remove: [small.id] })
      expect((await again.get(large.id))?.arrival).toBe(4)
      expect(again.size()).toEqual({ chunks: 2, bytes: 5_000 + chunk(3).bytes.length })
    })

    test('getMany answers in the order asked and leaves out what is absent', async () => {
      const { store } = await start()
      await store.apply({ put: [chunk(1), chunk(2), chunk(3)] })
      const found = await store.getMany([chunkId(3), chunkId(9), chunkId(1)])
      expect(found.map(({ id }) => id)).toEqual([chunkId(3), chunkId(1)])
    })

    test('bytes handed in may be reused as soon as apply has returned its promise', async () => {
      const { store } = await start()
      const bytes = pattern(50, 1)
      const record = pattern(5, 2)
      const applied = store.apply({ put: [chunk(1, { bytes })], records: new Map([['note', record]]) })
      bytes.fill(0)
      record.fill(0)
      await applied
      expect((await store.get(chunkId(1)))?.bytes).toEqual(pattern(50, 1))
      expect(await store.getRecord('note')).toEqual(pattern(5, 2))
    })

    test("bytes handed out are the caller's", async () => {
      const { store } = await start()
      await store.apply({ put: [chunk(1)], records: new Map([['note', pattern(5, 2)]]) })
      ;(await store.get(chunkId(1)))?.bytes.fill(0)
      ;(await store.getRecord('note'))?.fill(0)
      expect((await store.get(chunkId(1)))?.bytes).toEqual(chunk(1).bytes)
      expect(await store.getRecord('note')).toEqual(pattern(5, 2))
    })

    test('lists a document in order of arrival, and only that document', async () => {
      const { store } = await start()
      await store.apply({ put: [chunk(5, { docTag: docTag(1) }), chunk(2, { docTag: docTag(2) })] })
      await store.apply({ put: [chunk(1, { docTag: docTag(1) })] })
      expect((await store.listDocument(docTag(1))).map(({ id, arrival }) => [id, arrival])).toEqual([
        [chunkId(5), 1],
        [chunkId(1), 3],
      ])
    })

    test('gives a document a page at a time as it lists it, from any arrival on', async () => {
      const { store } = await start()
      for (let batch = 0; batch < 4; batch++) {
        const put = Array.from({ length: 600 }, (_, i) => chunk(batch * 600 + i, { docTag: docTag(i % 3), bytes: pattern(4, i) }))
        await store.apply({ put })
      }
      for (let i = 0; i < 60; i++) await store.apply({ put: [chunk(i, { docTag: docTag(1), bytes: pattern(5, i) })] })
      await store.apply({ remove: [chunkId(601), chunkId(1_000)] })
      const listed = await store.listDocument(docTag(1))
      expect(listed.length).toBeGreaterThan(800)
      expect((await all(store.document(docTag(1)))).slice(-2)).toEqual(listed.slice(-2))
      for (const after of [0, 1, 599, 600, 601, 1_500, 2_400, 2_401, 2_459, 2_460]) {
        const given = (await all(store.document(docTag(1), after))).map(({ arrival }) => arrival)
        expect(given.join()).toBe(listed.flatMap(({ arrival }) => (arrival > after ? [arrival] : [])).join())
      }
      expect(await all(store.document(docTag(9)))).toEqual([])
    })

    test('lists documents once each, sorted, from a given one on, up to a limit', async () => {
      const { store } = await start()
      const tags = [docTag(0), docTag(7), docTag(200), 'ff'.repeat(16) as DocTag]
      await store.apply({ put: tags.toReversed().flatMap((tag, i) => [chunk(2 * i, { docTag: tag }), chunk(2 * i + 1, { docTag: tag })]) })
      expect(await all(store.docTags())).toEqual(tags)
      expect(await all(store.docTags({ from: docTag(7) }))).toEqual(tags.slice(1))
      expect(await all(store.docTags({ from: docTag(8) }))).toEqual(tags.slice(2))
      expect(await all(store.docTags({ limit: 2 }))).toEqual(tags.slice(0, 2))
      expect(await all(store.docTags({ limit: 0 }))).toEqual([])
    })

    test('a document without chunks is not listed', async () => {
      const { store } = await start()
      await store.apply({ put: [chunk(1, { docTag: docTag(1) }), chunk(2, { docTag: docTag(2) })] })
      await store.apply({ remove: [chunkId(1)] })
      expect(await all(store.docTags())).toEqual([docTag(2)])
    })

    test('since gives what arrived after, in order, over many pages', async () => {
      const { store } = await start()
      await store.apply({ put: Array.from({ length: 700 }, (_, i) => chunk(i)) })
      expect((await all(store.since(0))).map(({ arrival }) => arrival)).toEqual(Array.from({ length: 700 }, (_, i) => i + 1))
      expect((await all(store.since(698))).map(({ id }) => id)).toEqual([chunkId(698), chunkId(699)])
      expect((await all(store.since(10, { limit: 300 }))).map(({ arrival }) => arrival)).toEqual(
        Array.from({ length: 300 }, (_, i) => i + 11),
      )
      expect(await all(store.since(700))).toEqual([])
    })

    test('an id put again is replaced and arrives anew', async () => {
      const { store } = await start()
      await store.apply({ put: [chunk(1, { bytes: pattern(10, 1) }), chunk(2)] })
      await store.apply({ put: [chunk(1, { bytes: pattern(20, 2), docTag: docTag(2) })] })
      expect(await store.get(chunkId(1))).toMatchObject({ arrival: 3, byteLength: 20, docTag: docTag(2) })
      expect((await store.listDocument(docTag(1))).map(({ id }) => id)).toEqual([chunkId(2)])
      expect((await all(store.since(0))).map(({ arrival }) => arrival)).toEqual([2, 3])
      expect(store.size()).toEqual({ chunks: 2, bytes: 20 + chunk(2).bytes.length })
    })

    test('a large chunk replaced by a small one, and back', async () => {
      const { store } = await start()
      for (const length of [9_000, 9, 9_001]) {
        await store.apply({ put: [chunk(1, { bytes: pattern(length, length) })] })
        expect((await store.get(chunkId(1)))?.bytes).toEqual(pattern(length, length))
        expect(store.size()).toEqual({ chunks: 1, bytes: length })
      }
    })

    test('of one id put twice in a batch the last counts', async () => {
      const { store } = await start()
      await store.apply({ put: [chunk(1, { bytes: pattern(3, 1) }), chunk(1, { bytes: pattern(4, 2) })] })
      expect((await store.get(chunkId(1)))?.bytes).toEqual(pattern(4, 2))
      expect(store.size()).toEqual({ chunks: 1, bytes: 4 })
      expect(store.lastArrival()).toBe(1)
    })

    test('removing takes a chunk out of everything but the arrival numbers', async () => {
      const { store, reopen } = await start()
      await store.apply({ put: [chunk(1), chunk(2)] })
      await store.apply({ remove: [chunkId(2), chunkId(9)] })
      expect(await store.get(chunkId(2))).toBeUndefined()
      expect((await all(store.since(0))).map(({ id }) => id)).toEqual([chunkId(1)])
      expect(store.size()).toEqual({ chunks: 1, bytes: chunk(1).bytes.length })
      expect(store.lastArrival()).toBe(2)
      const again = await reopen()
      expect(again.lastArrival()).toBe(2)
      await again.apply({ put: [chunk(3)] })
      expect((await again.head(chunkId(3)))?.arrival).toBe(3)
    })

    test('one batch removes before it puts', async () => {
      const { store } = await start()
      await store.apply({ put: [chunk(1)] })
      await store.apply({ remove: [chunkId(1)], put: [chunk(1, { bytes: pattern(4, 4) })] })
      expect((await store.get(chunkId(1)))?.bytes).toEqual(pattern(4, 4))
      expect(store.size()).toEqual({ chunks: 1, bytes: 4 })
    })

    test('setLive changes the flag and nothing else', async () => {
      const { store } = await start()
      await store.apply({ put: [chunk(1, { live: true }), chunk(2, { live: false, bytes: pattern(5_000, 1) })] })
      const before = await store.getMany([chunkId(1), chunkId(2)])
      const flips = [
        { id: chunkId(1), live: false },
        { id: chunkId(2), live: true },
        { id: chunkId(9), live: true },
      ]
      await store.apply({ setLive: flips })
      expect(await store.getMany([chunkId(1), chunkId(2)])).toEqual(before.map(stored => ({ ...stored, live: !stored.live })))
      expect(await store.head(chunkId(9))).toBeUndefined()
      expect((await store.listDocument(docTag(1))).map(({ live }) => live)).toEqual([false, true])
      expect(store.lastArrival()).toBe(2)
    })

    test('records are kept, replaced, deleted and listed by prefix, sorted', async () => {
      const { store, reopen } = await start()
      const records = new Map(['b/2', 'a', 'b/1', 'b', 'bb', 'c'].map((key, i) => [key, pattern(i, i)]))
      await store.apply({ records })
      await store.apply({
        records: new Map([
          ['b/1', pattern(9, 9)],
          ['c', undefined],
          ['never', undefined],
        ]),
      })
      const again = await reopen()
      expect((await all(again.listRecords('b'))).map(([key]) => key)).toEqual(['b', 'b/1', 'b/2', 'bb'])
      expect((await all(again.listRecords('b/'))).map(([key]) => key)).toEqual(['b/1', 'b/2'])
      expect((await all(again.listRecords(''))).map(([key]) => key)).toEqual(['a', 'b', 'b/1', 'b/2', 'bb'])
      expect(await again.getRecord('b/1')).toEqual(pattern(9, 9))
      expect(await again.getRecord('c')).toBeUndefined()
      expect(again.lastArrival()).toBe(0)
    })

    test('lists more records than fit a page', async () => {
      const { store } = await start()
      const keys = Array.from({ length: 600 }, (_, i) => `bucket/${String(i).padStart(4, '0')}`)
      await store.apply({ records: new Map(keys.map(key => [key, pattern(3, 3)])) })
      expect((await all(store.listRecords('bucket/'))).map(([key]) => key)).toEqual(keys)
    })

    test('what was acknowledged is there after a crash', async () => {
      const { store, reopen } = await start()
      await store.apply({ put: [chunk(1)], records: new Map([['note', pattern(3, 3)]]) })
      await store.apply({ put: [chunk(2)] })
      const again = await reopen()
      expect((await again.listDocument(docTag(1))).map(({ id }) => id)).toEqual([chunkId(1), chunkId(2)])
      expect(await again.getRecord('note')).toEqual(pattern(3, 3))
      expect(again.size()).toEqual({ chunks: 2, bytes: chunk(1).bytes.length + chunk(2).bytes.length })
      expect(again.lastArrival()).toBe(2)
    })

    test('calls made together resolve in the order they were made, and number their chunks so', async () => {
      const { store } = await start()
      const resolved: number[] = []
      await Promise.all(
        Array.from({ length: 50 }, async (_, i) => {
          await store.apply({ put: [chunk(i)] })
          resolved.push(i)
        }),
      )
      expect(resolved).toEqual(Array.from({ length: 50 }, (_, i) => i))
      expect((await all(store.since(0))).map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, i) => chunkId(i)))
      expect(store.lastArrival()).toBe(50)
      expect(store.size().chunks).toBe(50)
    })

    test('calls made together see each other: the same id replaced, removed, put again', async () => {
      const { store, reopen } = await start()
      await Promise.all([
        store.apply({ put: [chunk(1), chunk(2)] }),
        store.apply({ put: [chunk(1, { bytes: pattern(7, 7) })] }),
        store.apply({ remove: [chunkId(1), chunkId(2)] }),
        store.apply({ put: [chunk(1, { bytes: pattern(8, 8) })] }),
        store.apply({ setLive: [{ id: chunkId(1), live: true }] }),
      ])
      const again = await reopen()
      expect(await all(again.since(0))).toMatchObject([{ id: chunkId(1), arrival: 4, byteLength: 8, live: true }])
      expect(again.size()).toEqual({ chunks: 1, bytes: 8 })
    })

    test('a rejected batch leaves nothing, reading goes on, and a later try works', async context => {
      const { store, failWrites, reopen } = await start()
      if (failWrites === undefined) return context.skip('this store cannot be made to fail here')
      await store.apply({ put: [chunk(1)] })
      const heal = failWrites()
      await expect(store.apply({ put: [chunk(2)], remove: [chunkId(1)], records: new Map([['note', pattern(3, 3)]]) })).rejects.toThrow()
      expect((await store.get(chunkId(1)))?.bytes).toEqual(chunk(1).bytes)
      expect(await store.get(chunkId(2))).toBeUndefined()
      expect(await store.getRecord('note')).toBeUndefined()
      expect(store.lastArrival()).toBe(1)
      expect(store.size().chunks).toBe(1)
      heal()
      await store.apply({ put: [chunk(2)] })
      expect((await all((await reopen()).since(0))).map(({ id }) => id)).toEqual([chunkId(1), chunkId(2)])
    })

    test('an empty batch is nothing', async () => {
      const { store } = await start()
      await store.apply({})
      expect(store.lastArrival()).toBe(0)
    })

    test('a closed store says so, and closing again does nothing', async () => {
      const { store } = await start()
      await store.close()
      await store.close()
      const isClosed = (error: unknown): boolean => isSegueError(error, 'CLOSED')
      await expect(store.apply({ put: [chunk(1)] })).rejects.toSatisfy(isClosed)
      await expect(store.get(chunkId(1))).rejects.toSatisfy(isClosed)
      await expect(all(store.since(0))).rejects.toSatisfy(isClosed)
    })
  })
}

function chunkId(n: number): ChunkId {
  return n.toString(16).padStart(4, '0').repeat(16) as ChunkId
}

function docTag(n: number): DocTag {
  return n.toString(16).padStart(2, '0').repeat(16) as DocTag
}

function chunk(n: number, over: Partial<NewChunk> = {}): NewChunk {
  return {
    class: 'commit',
    epoch: 'ab'.repeat(16) as EpochId,
    docTag: docTag(1),
    id: chunkId(n),
    sequence: 0,
    live: false,
    bytes: pattern(100 + (n % 7), n),
    ...over,
  }
}

function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17) & 0xff)
}

/** Comparing megabytes with `toEqual` takes seconds. */
function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a?.length === b.length && a.every((byte, i) => byte === b[i])
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}
