/** What a chunk store knows of itself without reading its chunks. */
import { decodeCounters, decodeHead, encodeCounters, NO_CHUNKS, type Counters, type StoredHead } from './chunk-value.ts'
import type { OnDamaged } from './damage.ts'
import { arrivalInKey, arrivalsFrom, COUNTERS_KEY, documentKey, headKey } from './key-layout.ts'
import type { LevelStore } from './level/level-store.ts'
import { decodePointers } from './pointers.ts'

/** As they are stored, or counted when they are damaged. */
export async function readCounters(level: LevelStore, onDamaged: OnDamaged): Promise<Counters> {
  const stored = await level.read(view => view.get(COUNTERS_KEY))
  if (stored === undefined) return NO_CHUNKS
  const counters = decodeCounters(stored)
  if (counters.ok) return counters.value
  onDamaged({ area: 'counters', key: '' })
  return recount(level)
}

/** Only for damaged counters: reads every head once. Numbers above the last chunk's, given and removed again, are forgotten. */
async function recount(level: LevelStore): Promise<Counters> {
  let { lastArrival, chunks, bytes, indexed } = NO_CHUNKS
  for (let from = 0; ;) {
    const page = await level.read(async view => {
      const entries = await view.entries(arrivalsFrom(from), PAGE)
      const pointers = entries.flatMap(([key, value]) =>
        (decodePointers(value) ?? []).map(({ id, offset }) => ({ id, arrival: arrivalInKey(key) + offset })),
      )
      const stored = await view.getMany(pointers.map(({ id }) => headKey(id)))
      const found = pointers.map(({ id, arrival }, i) => {
        const head = stored[i] && decodeHead(id, stored[i])
        return { arrival, head: head?.ok === true && head.value.arrival === arrival ? head.value : undefined }
      })
      // What was entered in a document's index last shows how far that goes.
      const entry = async (head: StoredHead): Promise<boolean> =>
        (await view.get(documentKey(head.docTag, head.arrival - head.documentOffset))) !== undefined
      for (const { head } of found) if (head !== undefined && (await entry(head))) indexed = head.arrival
      return { last: entries.at(-1)?.[0], found }
    })
    if (page.last === undefined) break
    from = arrivalInKey(page.last) + 1
    for (const { arrival, head } of page.found) {
      lastArrival = arrival
      if (head === undefined) continue
      chunks++
      bytes += head.byteLength
    }
  }
  const counters = { lastArrival, chunks, bytes, indexed }
  await level.commit(transaction => transaction.put(COUNTERS_KEY, encodeCounters(counters)))
  return counters
}

const PAGE = 128
