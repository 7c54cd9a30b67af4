/** Parts of one volume: on Level and in memory the same. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8 } from '@segue/core'
import { describeChunkStore } from '@segue/core/testing'
import { expect, onTestFinished, test } from 'vitest'
import { chunkOf } from '../fixtures/batches.ts'
import { createChunkStore, createMemoryVolume, keysUnder, openVolume, partOf, sizeIn, transactionIn, type Volume } from './volume.ts'

const ignore = (): void => undefined
const LEFT = utf8('part/left/')
const RIGHT = utf8('part/right/')

describeChunkStore('a part of a volume in memory', async () => {
  let volume = createMemoryVolume()
  const open = () => createChunkStore(partOf(volume, LEFT), ignore, { keepsDuplicates: true })
  return {
    store: await open(),
    reopen: () => ((volume = volume.crash()), open()),
    failWrites: () => volume.failWrites(),
    tearDown: () => volume.close(),
  }
})

describeChunkStore('a part of a volume on Level', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'segue-volume-'))
  let volume = await openVolume(directory)
  const open = () => createChunkStore(partOf(volume, LEFT), ignore, { keepsDuplicates: true })
  return {
    store: await open(),
    async reopen() {
      await volume.close()
      volume = await openVolume(directory)
      return open()
    },
    async tearDown() {
      await volume.close()
      await rm(directory, { recursive: true })
    },
  }
})

for (const [name, open] of [['in memory', async () => createMemoryVolume()] as const, ['on Level', onLevel] as const]) {
  test(`[L28] ${name}: parts do not see each other, and one commit may write to several`, async () => {
    const volume = await open()
    const [left, right] = [await createChunkStore(partOf(volume, LEFT), ignore), await createChunkStore(partOf(volume, RIGHT), ignore)]
    await left.apply({ put: [chunkOf(1, 0), chunkOf(1, 2)] })
    await right.apply({ put: [chunkOf(2, 0)] })
    expect([left.size().chunks, right.size().chunks]).toEqual([2, 1])
    expect(await right.get(chunkOf(1, 0).id)).toBeUndefined()
    const tags = []
    for await (const tag of right.docTags()) tags.push(tag)
    expect(tags).toEqual([chunkOf(2, 0).docTag])
    await volume.commit(transaction => {
      expect(sizeIn(transactionIn(transaction, LEFT))?.chunks).toBe(2)
      transaction.put(utf8('note'), utf8('one'))
      transactionIn(transaction, RIGHT).put(utf8('zz'), utf8('two'))
    })
    await expect(
      volume.commit(transaction => {
        transaction.put(utf8('note'), utf8('three'))
        throw new Error('changed my mind')
      }),
    ).rejects.toThrow('changed my mind')
    expect(Buffer.from((await volume.read(view => view.get(utf8('note')))) ?? []).toString()).toBe('one')
    const inRight = await volume.read(view => view.entries(keysUnder(RIGHT)))
    expect(Buffer.from(inRight.at(-1)?.[1] ?? []).toString()).toBe('two')
  })

  test(`[L32] ${name}: what is removed just before its document's entry is written leaves none`, async () => {
    const store = await createChunkStore(partOf(await open(), LEFT), ignore)
    await store.apply({ put: [chunkOf(1, 0)] })
    const others = Array.from({ length: 600 }, (_, i) => ({ ...chunkOf(2 + i, 0), docTag: chunkOf(2, 0).docTag }))
    await Promise.all([store.apply({ remove: [chunkOf(1, 0).id] }), store.apply({ put: others })])
    const tags = []
    for await (const tag of store.docTags()) tags.push(tag)
    expect(tags).toEqual([chunkOf(2, 0).docTag])
  })

  test(`[L21] ${name}: what is there already keeps its arrival, small or large; a damaged one is put again`, async () => {
    const volume = await open()
    const damages: string[] = []
    const store = await createChunkStore(partOf(volume, LEFT), damage => damages.push(damage.area), { keepsDuplicates: true })
    const [small, large] = [chunkOf(1, 0), chunkOf(1, 2)]
    await store.apply({ put: [small, large] })
    await store.apply({ put: [small, large, chunkOf(2, 0)] })
    expect([(await store.head(small.id))?.arrival, (await store.head(large.id))?.arrival]).toEqual([1, 2])
    expect([store.lastArrival(), store.size().chunks]).toEqual([3, 3])
    await store.apply({ put: [{ ...small, live: false }] })
    expect((await store.head(small.id))?.arrival).toBe(4)
    const [[key] = []] = (await volume.read(view => view.entries(keysUnder(Buffer.concat([LEFT, utf8('b')]))))) as readonly (readonly [
      Uint8Array,
      Uint8Array,
    ])[]
    await volume.commit(transaction => transaction.put(key as Uint8Array, utf8('rot')))
    expect(await store.get(large.id)).toBeUndefined()
    await store.apply({ put: [large] })
    expect((await store.get(large.id))?.bytes).toEqual(large.bytes)
    expect(damages).toEqual(['chunk'])
  })
}

async function onLevel(): Promise<Volume> {
  const directory = await mkdtemp(join(tmpdir(), 'segue-volume-'))
  const volume = await openVolume(directory)
  onTestFinished(async () => {
    await volume.close()
    await rm(directory, { recursive: true })
  })
  return volume
}
