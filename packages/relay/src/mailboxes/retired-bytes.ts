/** How much of a mailbox is retired: counted when a device asks, at most once in a while, because it reads every chunk's head. */
import { MINUTE_MS, type MailboxId } from '@segue/core/sealed'
import type { Clock } from '@segue/core/ports'
import type { MailboxEngine } from '../engine/mailbox-engine.ts'

export function retiredBytesIn(engine: Pick<MailboxEngine, 'open'>, clock: Clock): (id: MailboxId) => Promise<number> {
  const counted = new Map<MailboxId, { readonly at: number; readonly bytes: Promise<number> }>()
  return id => {
    const now = clock.monotonic()
    for (const [other, { at }] of counted) if (at < now - COUNT_EVERY_MS) counted.delete(other)
    const known = counted.get(id) ?? { at: now, bytes: count(engine, id) }
    counted.set(id, known)
    return known.bytes
  }
}

const COUNT_EVERY_MS: number = MINUTE_MS

async function count(engine: Pick<MailboxEngine, 'open'>, id: MailboxId): Promise<number> {
  const mailbox = await engine.open(id)
  let bytes = 0
  for await (const chunk of mailbox.since(0)) {
    if (!chunk.live && (chunk.class === 'commit' || chunk.class === 'fragment')) bytes += chunk.byteLength
  }
  return bytes
}
