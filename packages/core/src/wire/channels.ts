/**
 * The streams between two members, one protocol each, and what a stranger may open. Both ends import this; labels and limits
 * live only here and in limits.ts.
 */
export const CHANNELS = ['sync-live', 'sync-bulk', 'control', 'ephemeral'] as const
export type Channel = (typeof CHANNELS)[number]

export const PROTOCOL_OF: Readonly<Record<Channel, string>> = {
  'sync-live': '/segue/sync/1',
  'sync-bulk': '/segue/sync-bulk/1',
  control: '/segue/control/1',
  ephemeral: '/segue/ephemeral/1',
}
/** Open to strangers only while a pairing is open. */
export const PAIRING_PROTOCOL = '/segue/pair/1'
/** One membership proof from an unknown or removed peer. */
export const GROUP_PROTOCOL = '/segue/group/1'
/** Accounts, mailboxes and member lists: what a relay answers. */
export const RELAY_PROTOCOL = '/segue/relay/1'
/** Where a device without an account meets the one that shows the code: what a relay carries between them. */
export const RENDEZVOUS_PROTOCOL = '/segue/rendezvous/1'
