import { expect, test } from 'vitest'
import type { DeviceIdentity } from '../identity/index.ts'
import { plainBytes } from '../lib/bytes.ts'
import { hexId, type EntryId } from '../lib/ids.ts'
import { createDocumentCast } from '../testing/document-cast.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { createSimulatedClock } from '../testing/simulated-clock.ts'
import { createErasureCarrier, type ErasureCarrier } from './erasure-carrier.ts'
import { readErasure, signErasure, type Erasure } from './erasure.ts'

const random = createSeededRandom(1)

interface Story {
  readonly phone: DeviceIdentity
  readonly frame: Uint8Array
  readonly erasure: Erasure
  readonly carriers: readonly [ErasureCarrier, ErasureCarrier]
}

async function story(): Promise<Story> {
  const cast = createDocumentCast(createSimulatedClock())
  const [laptop, desk, phone] = [await cast.join('Laptop'), await cast.join('Desk'), await cast.join('Phone')]
  const about = { group: hexId<never>(random.bytes(32)), removal: hexId<EntryId>(random.bytes(32)), erased: true, time: 7 }
  const frame = plainBytes(signErasure(about, phone.identity))
  const carriers = [laptop, desk].map(({ identity, keyring }) => createErasureCarrier({ identity, keyring, random }))
  return { phone: phone.identity, frame, erasure: readErasure(frame) as Erasure, carriers: carriers as [ErasureCarrier, ErasureCarrier] }
}

test('[G61] a removed device’s word is read by another device as the removed one signed it', async () => {
  const { carriers, erasure, frame } = await story()
  const chunk = carriers[0].seal({ erasure, frame })
  expect(carriers[1].read(chunk)).toEqual({ erasure, frame })
})

test('[G61] that it erased takes the place of that it was told', async () => {
  const { carriers, erasure, frame, phone } = await story()
  const first = signErasure({ ...erasure, erased: false }, phone)
  const told = carriers[0].seal({ erasure: readErasure(first) as Erasure, frame: first })
  const erased = carriers[0].seal({ erasure, frame })
  expect(erased.id).toBe(told.id)
  expect(erased.sequence).toBeGreaterThan(told.sequence)
})

test('[G61] words that the removed device did not sign, and other chunks, are passed over', async () => {
  const { carriers, erasure, frame } = await story()
  const broken = frame.slice()
  broken[broken.length - 1] = (broken.at(-1) as number) ^ 1
  expect(carriers[1].read(carriers[0].seal({ erasure, frame: broken }))).toBeUndefined()
  const chunk = carriers[0].seal({ erasure, frame })
  expect(carriers[1].read({ ...chunk, class: 'commit' })).toBeUndefined()
  const bytes = chunk.bytes.slice()
  bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1
  expect(carriers[1].read({ ...chunk, bytes })).toBeUndefined()
})
