/** A fragment adds nothing for a peer that has confirmed everything in it. */
import type { DeviceId } from '../lib/ids.ts'
import type { Applied, JournalItem } from './journal-types.ts'
import type { PeerReceipts } from './receipts.ts'

/** For each such fragment those peers. Looked at before its commits are forgotten. */
export function containedAt(
  { fates, removed }: Pick<Applied, 'fates' | 'removed'>,
  receipts: ReadonlyMap<DeviceId, PeerReceipts>,
): ReadonlyMap<JournalItem, ReadonlySet<DeviceId>> {
  const contained = new Map<JournalItem, ReadonlySet<DeviceId>>()
  const gone = new Set(removed.map(header => header.id))
  for (const [item, fate] of fates) {
    if (fate !== 'stored' || item.chunk.class !== 'fragment' || item.contents === undefined) continue
    if (item.origin !== 'made' && !item.contents.covers.every(id => gone.has(id))) continue
    contained.set(item, new Set([...receipts].filter(([, each]) => each.holds(item.chunk.docTag)).map(([peer]) => peer)))
  }
  return contained
}
