/** Of what a peer offers: what this replica lacks, and what it holds already, itself or contained in a fragment. */
import type { ChunkId, DocTag } from '../lib/ids.ts'
import type { ChunkRecord } from '../ports/chunk-store.ts'
import { recordsAmong } from './document-reading.ts'
import type { Offer } from './sync-records.ts'
import type { SessionHost } from './session-host.ts'

export type Holdings = Pick<SessionHost, 'store' | 'covers' | 'arriving' | 'doubted' | 'unchecked' | 'dropped'>

export interface Lacked {
  readonly lacking: readonly Offer[]
  readonly held: readonly Offer[]
  /** Of `held`: not here itself, but in a fragment. */
  readonly contained: readonly Offer[]
}

export async function lackedOf(holdings: Holdings, offered: readonly Offer[]): Promise<Lacked> {
  const lacking: Offer[] = []
  const held: Offer[] = []
  const contained: Offer[] = []
  const present = await presentOf(holdings, offered)
  for (const offer of offered) {
    if (holdings.dropped.has(offer.docTag)) continue
    const record = present.get(offer.id)
    if (record !== undefined && isAsGood(holdings, record, offer)) {
      held.push(offer)
      continue
    }
    const onItsWay = holdings.arriving.get(offer.id)
    if (onItsWay !== undefined && onItsWay.chunk.sequence >= offer.sequence) continue
    const isCovered = offer.class === 'commit' && (await holdings.covers.of(offer.docTag))?.covered.has(offer.id)
    if (!isCovered) lacking.push(offer)
    else {
      held.push(offer)
      contained.push(offer)
    }
  }
  return { lacking, held, contained }
}

/** A register that nobody could check says nothing of those with another sequence. */
function isAsGood({ doubted, unchecked }: Holdings, { id, sequence }: ChunkRecord, offer: Offer): boolean {
  if (doubted.has(id)) return false
  return sequence === offer.sequence || (sequence > offer.sequence && !unchecked.has(id))
}

async function presentOf({ store }: Holdings, offered: readonly Offer[]): Promise<ReadonlyMap<ChunkId, ChunkRecord>> {
  const byDocument = new Map<DocTag, ChunkId[]>()
  for (const { docTag, id } of offered) {
    const ids = byDocument.get(docTag)
    if (ids === undefined) byDocument.set(docTag, [id])
    else ids.push(id)
  }
  const found = await Promise.all([...byDocument].map(([docTag, ids]) => recordsAmong(store, docTag, ids)))
  return found.length === 1 ? (found[0] as ReadonlyMap<ChunkId, ChunkRecord>) : new Map(found.flatMap(each => [...each]))
}
