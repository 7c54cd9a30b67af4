import { createIdentity, createInlineWorker, encodeCbor } from '@segue/core'
import { createManualClock, createMemoryChunkStore, createMemoryRecordStore, createSeededRandom } from '@segue/core/testing'
import { expect, test } from 'vitest'
import { nativeHasher } from '../platform/native-hasher.ts'
import { silentLogger } from '../platform/loggers.ts'
import { createRuntime } from '../runtime.ts'
import { createAdoptionWay } from './way.ts'

const OWN = new Uint8Array([1, 2, 3])
const JOINED = new Uint8Array([4, 5, 6])
const keysOf = async (records: ReturnType<typeof createMemoryRecordStore>): Promise<string[]> => {
  const keys: string[] = []
  for await (const [key] of records.list('')) keys.push(key)
  return keys
}

test('[J3] where the copying cannot be done, the own group is there again, and nothing else', async () => {
  const records = createMemoryRecordStore()
  await records.write(new Map([['device/group', OWN]]))
  const failing = createAdoptionWay({ records, logger: silentLogger, open: () => Promise.reject(new Error('disk full')) })
  const plan = await failing.plan()
  await records.write(new Map([...plan, ['device/group', JOINED], ['adoption/copies/aa', encodeCbor('half')]]))
  await expect(failing.start()).rejects.toThrow('disk full')
  expect(failing.isUndone()).toBe(true)
  expect(await keysOf(records)).toEqual(['device/group'])
  expect(await records.get('device/group')).toEqual(OWN)
})

test('[J3] once the others of the own group were told, it goes on only, however often the copying fails', async () => {
  const records = createMemoryRecordStore()
  const random = createSeededRandom(1)
  const runtime = await createRuntime({
    ...{ random, clock: createManualClock(), hasher: nativeHasher, logger: silentLogger, worker: createInlineWorker() },
    store: { chunks: createMemoryChunkStore(), records },
    identity: createIdentity({ name: 'phone', random }),
    telemetry: { record: () => undefined },
    linkTo: () => undefined,
  })
  const failing = createAdoptionWay({ records, logger: silentLogger, open: () => Promise.reject(new Error('disk full')) })
  await records.write(new Map([...(await failing.plan()), ['device/group', JOINED]]))
  await failing.decide(runtime)
  await runtime.close()
  for (let tries = 0; tries < 2; tries++) await expect(failing.start()).rejects.toThrow('disk full')
  expect(failing.isUndone()).toBe(false)
  expect(await records.get('device/group')).toEqual(JOINED)
})

test('[J3] copies of a try that came to nothing go when Segue opens', async () => {
  const records = createMemoryRecordStore()
  await records.write(
    new Map([
      ['device/group', OWN],
      ['adoption/copies/aa', encodeCbor('half')],
    ]),
  )
  const way = createAdoptionWay({ records, logger: silentLogger, open: () => Promise.reject(new Error('not here')) })
  await expect(way.start()).rejects.toThrow('not here')
  expect(way.isUndone()).toBe(false)
  expect(await keysOf(records)).toEqual(['device/group'])
})
