/** What lies in a mailbox that another took the place of, and is not in that one: brought after it was drained, by a device that may never come again. */
import type { ChunkId } from '@segue/core/sealed'
import type { OpenMailbox } from './mailboxes.ts'

/** Gives the number of chunks. What a fragment in the new one contains as well is retired by the next device that sees it. */
export async function bringAlong(from: Pick<OpenMailbox, 'store'>, to: Pick<OpenMailbox, 'store' | 'replica'>): Promise<number> {
  let batch: ChunkId[] = []
  let count = 0
  const bring = async (): Promise<void> => {
    await to.replica.add(await from.store.getMany(batch))
    count += batch.length
    batch = []
  }
  for await (const record of from.store.since(0)) {
    if (!(record.live || record.class === 'log') || record.isEmptied === true) continue
    const there = await to.store.head(record.id)
    if (there !== undefined && (record.class !== 'register' || there.sequence >= record.sequence)) continue
    batch.push(record.id)
    if (batch.length >= BATCH) await bring()
  }
  if (batch.length > 0) await bring()
  return count
}

const BATCH = 64
