/**
 * Where a group's mailbox went by the word of somebody whose word counts no more: an admin moved it while it was being removed elsewhere. The
 * relay took that, for the key was right; the group's log does not have it. Whom that admin took for admins it gave the new key, so one
 * who stays can move the group on from there.
 */
import { SIGNING_SEED_BYTES, signingKeysOf, unwrap, type SigningKeys } from '../crypto/index.ts'
import type { Group } from '../group/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { equalBytes } from '../lib/bytes.ts'
import type { DeviceId, MailboxId } from '../lib/ids.ts'

export interface OutrunMailbox {
  readonly mailbox: MailboxId
  /** That sign its lists. */
  readonly keys: SigningKeys
}

/** On this relay, latest first; only those whose key was given to this device. Whether the relay knows them is for it to say. */
export function outrunMailboxes(
  group: Pick<Group, 'entries' | 'state'>,
  relay: DeviceId,
  self: Pick<DeviceIdentity, 'id' | 'sealing'>,
): readonly OutrunMailbox[] {
  const counted = new Set(group.state.peek().relays.map(({ mailbox }) => mailbox))
  const found = new Map<MailboxId, OutrunMailbox>()
  for (const { content } of group.entries()) {
    if (content.kind !== 'relay' || content.relay !== relay || counted.has(content.mailbox)) continue
    for (const { device, box } of content.wraps) {
      const seed = device === self.id ? unwrap(box, self.sealing) : undefined
      const keys = seed?.length === SIGNING_SEED_BYTES ? signingKeysOf(seed) : undefined
      if (keys === undefined || !equalBytes(keys.publicKey, content.adminKey)) continue
      found.delete(content.mailbox)
      found.set(content.mailbox, { mailbox: content.mailbox, keys })
    }
  }
  return [...found.values()].toReversed()
}
