/** Of what a peer offers: what this replica lacks, and what it holds already, itself or contained in a fragment. */
import { GROUP_DOC_TAG, type ChunkId, type DocTag } from '../lib/ids.ts'
import type { ChunkRecord } from '../ports/chunk-store.ts'
import { recordsAmong } from './document-reading.ts'
import type { Offer } from './sync-records.ts'
import type { SessionHost } from './session-host.ts'
import { bucketOf } from './summary.ts'

export type Holdings = Pick<SessionHost, 'store' | 'summary' | 'isKeyless' | 'covers' | 'arriving' | 'doubted' | 'unchecked' | 'dropped'>

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
    const isCovered =
      offer.class === 'commit' && mayHold(holdings, offer.docTag) && (await holdings.covers.of(offer.docTag))?.covered.has(offer.id)
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

/**
 * Without a look at the disk: where a bucket of the summary is empty, nothing of its documents is here. A new device is offered ten thousand,
 * and would look for each chunk and for each document's fragments. With keys, what is stored counts in the summary, but for the log.
 */
function mayHold({ summary, isKeyless }: Holdings, docTag: DocTag): boolean {
  return isKeyless || docTag === GROUP_DOC_TAG || summary.bucket(bucketOf(docTag)) !== 0n
}

async function presentOf(holdings: Holdings, offered: readonly Offer[]): Promise<ReadonlyMap<ChunkId, ChunkRecord>> {
  const byDocument = new Map<DocTag, ChunkId[]>()
  for (const { docTag, id } of offered) {
    if (!mayHold(holdings, docTag)) continue
    const ids = byDocument.get(docTag)
    if (ids === undefined) byDocument.set(docTag, [id])
    else ids.push(id)
  }
  const found = await Promise.all([...byDocument].map(([docTag, ids]) => recordsAmong(holdings.store, docTag, ids)))
  return found.length === 1 ? (found[0] as ReadonlyMap<ChunkId, ChunkRecord>) : new Map(found.flatMap(each => [...each]))
}
