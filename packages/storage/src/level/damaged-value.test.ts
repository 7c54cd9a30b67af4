/** Bytes that rot on disk: flipped through a handle of their own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { expect, onTestFinished, test } from 'vitest'
import { chunkOf } from '../../fixtures/batches.ts'
import { arrivalKey, bytesKey, COUNTERS_KEY, documentKey, headKey, localRecordRange, recordKey } from '../key-layout.ts'
import { custom, openStore, type Damage, type Store } from '../index.ts'
import { RECENT_POINTERS } from '../recent-pointers.ts'

const [small, large] = [chunkOf(1, 0), chunkOf(1, 2)]

test('[L8] a damaged chunk is reported and reads as absent, and put again it is there', async () => {
  const { directory, damages, reopen } = await storeWith(store => store.chunks.apply({ put: [small, large] }))
  await flip(directory, headKey(small.id))
  const store = await reopen()
  expect(await store.chunks.get(small.id)).toBeUndefined()
  expect(await store.chunks.head(small.id)).toBeUndefined()
  expect((await store.chunks.getMany([small.id, large.id])).map(({ id }) => id)).toEqual([large.id])
  expect((await store.chunks.listDocument(small.docTag)).map(({ id }) => id)).toEqual([large.id])
  expect(new Set(damages.map(({ area, key }) => `${area} ${key}`))).toEqual(new Set([`chunk ${small.id}`]))

  await store.chunks.apply({ put: [small] })
  expect((await store.chunks.get(small.id))?.bytes).toEqual(small.bytes)
  expect((await store.chunks.listDocument(small.docTag)).map(({ id }) => id)).toEqual([large.id, small.id])
  expect(store.chunks.size().chunks).toBe(2)
})

test('[L8] damage in the bytes of a large chunk is found when they are read', async () => {
  const { directory, damages, reopen } = await storeWith(store => store.chunks.apply({ put: [large] }))
  await flip(directory, bytesKey(large.id))
  const store = await reopen()
  expect(await store.chunks.get(large.id)).toBeUndefined()
  expect(damages).toEqual([{ area: 'chunk', key: large.id }])
})

test('[L8] a damaged index entry is reported; the chunks themselves are still read', async () => {
  const others = Array.from({ length: RECENT_POINTERS - 1 }, (_, i) => chunkOf(2 + i, 0))
  const { directory, damages, reopen } = await storeWith(store => store.chunks.apply({ put: [small, ...others] }))
  await flip(directory, documentKey(small.docTag, 1))
  await flip(directory, arrivalKey(1))
  const store = await reopen()
  expect(await store.chunks.listDocument(small.docTag)).toEqual([])
  for await (const record of store.chunks.since(0)) expect(record).toBeUndefined()
  expect(damages.map(({ area }) => area)).toEqual(['chunk-index', 'chunk-index'])
  expect((await store.chunks.get(small.id))?.bytes).toEqual(small.bytes)
  await store.chunks.apply({ remove: [small.id] })
  expect(store.chunks.size().chunks).toBe(others.length)
})

test('[L8] a damaged record is reported and reads as absent', async () => {
  const { directory, damages, reopen } = await storeWith(store =>
    store.chunks.apply({
      records: new Map([
        ['a', small.bytes],
        ['b', small.bytes],
      ]),
    }),
  )
  await flip(directory, recordKey('a'))
  const store = await reopen()
  expect(await store.chunks.getRecord('a')).toBeUndefined()
  for await (const [key] of store.chunks.listRecords('')) expect(key).toBe('b')
  expect(damages).toEqual([
    { area: 'record', key: 'a' },
    { area: 'record', key: 'a' },
  ])
})

test('[L8] a damaged record of this device is reported and reads as absent', async () => {
  const { directory, damages, reopen } = await storeWith(store => store.records.write(new Map([['settings', small.bytes]])))
  const [key] = await raw(directory, level => level.keys(localRecordRange()).all())
  await flip(directory, key as Uint8Array)
  const store = await reopen()
  expect(await store.records.get('settings')).toBeUndefined()
  for await (const record of store.records.list('')) expect(record).toBeUndefined()
  expect(damages.map(({ area }) => area)).toEqual(['local-record', 'local-record'])
})

test('[L17] damaged counters are counted again', async () => {
  const { directory, damages, reopen } = await storeWith(async store => {
    await store.chunks.apply({ put: [small, large] })
    await store.chunks.apply({ put: [chunkOf(2, 0)], remove: [small.id] })
  })
  await flip(directory, COUNTERS_KEY)
  const store = await reopen()
  expect(damages).toEqual([{ area: 'counters', key: '' }])
  expect(store.chunks.size()).toEqual({ chunks: 2, bytes: large.bytes.length + chunkOf(2, 0).bytes.length })
  expect(store.chunks.lastArrival()).toBe(3)
})

test("[L15] neither keys nor values of this device's records are in the store in the clear", async () => {
  const { directory } = await storeWith(store =>
    store.records.write(new Map([['handoff/secret-name', new TextEncoder().encode('secret-value')]])),
  )
  const entries = await raw(directory, level => level.iterator().all())
  expect(entries.length).toBe(1)
  for (const part of entries.flat()) expect(Buffer.from(part).toString('latin1')).not.toMatch(/secret|handoff/)
})

interface Damaged {
  readonly directory: string
  readonly damages: Damage[]
  reopen(): Promise<Store>
}

/** A store that was written to and closed again. */
async function storeWith(write: (store: Store) => Promise<void>): Promise<Damaged> {
  const directory = await mkdtemp(join(tmpdir(), 'segue-store-'))
  const damages: Damage[] = []
  let opened: Store | undefined
  const open = (): Promise<Store> =>
    openStore({ directory, unlock: custom({ wrap: key => key, unwrap: wrapped => wrapped }), onDamaged: damage => damages.push(damage) })
  onTestFinished(async () => {
    await opened?.close()
    await rm(directory, { recursive: true })
  })
  const store = await open()
  await write(store)
  await store.close()
  return { directory, damages, reopen: async () => (opened = await open()) }
}

async function flip(directory: string, key: Uint8Array): Promise<void> {
  await raw(directory, async level => {
    const value = Uint8Array.from((await level.get(key)) ?? [])
    const middle = value.length >> 1
    value[middle] = (value[middle] as number) ^ 0x10
    await level.put(key, value)
  })
}

async function raw<T>(directory: string, use: (level: Level<Uint8Array, Uint8Array>) => Promise<T>): Promise<T> {
  const level = new Level<Uint8Array, Uint8Array>(join(directory, 'level'), { keyEncoding: 'view', valueEncoding: 'view' })
  try {
    return await use(level)
  } finally {
    await level.close()
  }
}
