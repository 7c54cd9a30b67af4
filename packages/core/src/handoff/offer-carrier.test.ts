import { expect, test } from 'vitest'
import { hexId, type HandoffId } from '../lib/ids.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { createDocumentCast } from '../testing/document-cast.ts'
import { createRegisterCarrier, type RegisterCarrier } from './offer-carrier.ts'
import type { DocumentDevice } from '../testing/document-cast.ts'
import { createSimulatedClock } from '../testing/simulated-clock.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'

const random = createSeededRandom(1)
const handoff = hexId<HandoffId>(random.bytes(16))
const offer = random.bytes(200)

function carrierOf(device: DocumentDevice): { readonly carrier: RegisterCarrier; readonly sent: SealedChunk[] } {
  const sent: SealedChunk[] = []
  const carrier = createRegisterCarrier({
    ...device,
    chunkStore: device.store,
    random,
    replica: {
      async add(chunks) {
        sent.push(...chunks)
        await device.replica.add(chunks)
      },
    },
  })
  return { carrier, sent }
}

test('[H33] an offer in a register is read by another device, who signed it said; the own one is passed over', async () => {
  const cast = createDocumentCast(createSimulatedClock())
  const laptop = await cast.join('Laptop')
  const desk = await cast.join('Desk')
  const { carrier, sent } = carrierOf(laptop)
  await carrier.publish(handoff, desk.id, 1, offer)
  expect(carrierOf(desk).carrier.read(sent)).toEqual([{ from: laptop.id, offer }])
  expect(carrier.read(sent)).toEqual([])
})

test('[H33] a withdrawn offer replaces the standing one and is passed over', async () => {
  const cast = createDocumentCast(createSimulatedClock())
  const laptop = await cast.join('Laptop')
  const desk = await cast.join('Desk')
  const { carrier, sent } = carrierOf(laptop)
  await carrier.publish(handoff, desk.id, 1, offer)
  await carrier.publish(handoff, desk.id, 2, undefined)
  expect(sent[1]?.id).toBe(sent[0]?.id)
  expect(carrierOf(desk).carrier.read(sent.slice(1))).toEqual([])
})

test('[H33] a register whose bytes were changed is passed over', async () => {
  const cast = createDocumentCast(createSimulatedClock())
  const laptop = await cast.join('Laptop')
  const desk = await cast.join('Desk')
  const { carrier, sent } = carrierOf(laptop)
  await carrier.publish(handoff, desk.id, 1, offer)
  const [chunk] = sent as [SealedChunk]
  const bytes = chunk.bytes.slice()
  bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1
  expect(
    carrierOf(desk).carrier.read([
      { ...chunk, bytes },
      { ...chunk, class: 'commit' },
    ]),
  ).toEqual([])
})

test('[H23] an offer that arrived in an earlier run is found again', async () => {
  const cast = createDocumentCast(createSimulatedClock())
  const laptop = await cast.join('Laptop')
  const desk = await cast.join('Desk')
  const { carrier, sent } = carrierOf(laptop)
  await carrier.publish(handoff, desk.id, 1, offer)
  await desk.replica.add(sent)
  expect(await carrierOf(desk).carrier.stored()).toEqual([{ from: laptop.id, offer }])
})
