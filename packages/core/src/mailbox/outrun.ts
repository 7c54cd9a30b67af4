/**
 * Where a group's mailbox went by the word of somebody whose word counts no more: an admin moved it while it was being removed elsewhere. The
 * relay took that, for the key was right; the group's log does not have it. Whom that admin took for admins it gave the new key, so one
 * who stays can move the group on from there. Where it gave the key to nobody who stays, the group begins anew beside it: the device that
 * used the relay's invite may make another mailbox for its account, otherwise a person needs another invite.
 */
import { SIGNING_SEED_BYTES, signingKeysOf, unwrap, type SigningKeys } from '../crypto/index.ts'
import type { Group, SignedEntry } from '../group/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { equalBytes } from '../lib/bytes.ts'
import type { DeviceId, MailboxId } from '../lib/ids.ts'

export interface OutrunMailbox {
  readonly mailbox: MailboxId
  /** That sign its lists. */
  readonly keys: SigningKeys
}

type Log = Pick<Group, 'entries' | 'state' | 'removalOf'>

/** On this relay, latest first; only those whose key was given to this device. Whether the relay knows them is for it to say. */
export function outrunMailboxes(
  group: Pick<Log, 'entries' | 'state'>,
  relay: DeviceId,
  self: Pick<DeviceIdentity, 'id' | 'sealing'>,
): readonly OutrunMailbox[] {
  const found = new Map<MailboxId, OutrunMailbox>()
  for (const content of uncounted(group, relay)) {
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

/**
 * Whether the log shows why this mailbox is out of reach: its key is with nobody who could use it; or somebody who knew it named another one on
 * its relay by a word that does not count; or everybody else who was given it was removed by this device, as their senior, so that nothing
 * they say of it counts. Without that a device whose log is behind would take the group's place for its own.
 */
export function mayBeginAnew(group: Log, mailbox: MailboxId, self: DeviceId): boolean {
  if (isKeyLost(group, mailbox) || hasRemovedOthers(group, mailbox, self)) return true
  const made = group.entries().find(({ content }) => content.kind === 'relay' && content.mailbox === mailbox)
  if (made?.content.kind !== 'relay') return false
  const named = new Set(uncounted(group, made.content.relay))
  const after = new Set([made.id])
  for (const { id, parents, content } of group.entries()) {
    if (!parents.some(parent => after.has(parent))) continue
    after.add(id)
    if (content.kind === 'relay' && named.has(content)) return true
  }
  return false
}

/** No admin who stays holds the key of the mailbox. */
export function isKeyLost({ state }: Pick<Group, 'state'>, mailbox: MailboxId): boolean {
  const { devices, relays } = state.peek()
  const holders = relays.find(each => each.mailbox === mailbox)?.keyHolders ?? []
  return !devices.some(({ id, active, role }) => active && role === 'admin' && holders.includes(id))
}

function hasRemovedOthers(group: Log, mailbox: MailboxId, self: DeviceId): boolean {
  const { devices, relays } = group.state.peek()
  const seniority = (id: DeviceId): number => devices.findIndex(device => device.id === id)
  const others = relays.find(each => each.mailbox === mailbox)?.keyHolders.filter(id => id !== self) ?? []
  return others.every(id => group.removalOf(id)?.by === self && seniority(self) < seniority(id))
}

type RelayContent = Extract<SignedEntry['content'], { kind: 'relay' }>

/** What was said of mailboxes on this relay that the group does not have. */
function uncounted({ entries, state }: Pick<Log, 'entries' | 'state'>, relay: DeviceId): readonly RelayContent[] {
  const counted = new Set(state.peek().relays.map(({ mailbox }) => mailbox))
  return entries().flatMap(({ content }) =>
    content.kind === 'relay' && content.relay === relay && !counted.has(content.mailbox) ? [content] : [],
  )
}
