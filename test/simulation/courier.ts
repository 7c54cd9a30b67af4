/** A replica without keys that takes what removed devices wrote to those who stay, as a relay does that has not heard; and back. */
import { createReplica, keylessInspector, type DeviceId } from '@segue/core'
import { createMemoryChunkStore, linkDevices } from '@segue/core/testing'
import type { Day } from './day.ts'
import type { Process } from './device.ts'

export async function carryBetween(day: Day, out: readonly Process[], staying: readonly Process[]): Promise<void> {
  const { timeline, random } = day
  const { clock } = timeline
  const parts = { store: createMemoryChunkStore(), inspector: keylessInspector, clock, random: random.fork(7), keyless: true }
  const replica = await timeline.during(createReplica(parts))
  const visit = async (process: Process): Promise<void> => {
    const link = linkDevices(
      { id: COURIER, accept: end => replica.attach(end) },
      { id: process.device.id, accept: end => process.accept(end) },
      { clock, latencyMs: 10 },
    )
    await clock.advance(VISIT_MS)
    link.cut()
  }
  for (const process of [...out, ...staying, ...out]) await visit(process)
  timeline.note(`a courier was with ${[...out, ...staying].map(({ device }) => device.name).join(' ')}`)
  await timeline.during(replica.close())
}

const COURIER = 'courier' as DeviceId
const VISIT_MS = 3_000
