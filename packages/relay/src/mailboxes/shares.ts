/**
 * What all links of one account together may make this relay keep: links, requests that wait, and what they do not read. It follows from
 * the account's quota of mailboxes, each of which is one group with so many devices.
 */
import { createRoom, type CloseCode, type DeviceId, type Room } from '@segue/core/sealed'
import type { DeviceLink } from '@segue/core/ports'
import type { Account } from '../engine/mailbox-engine.ts'

export interface Share {
  /** For what its links make the relay keep. */
  readonly room: Room
  /** The link as its replica sees it, what it does not read counted; `undefined` when there are too many. Counted until it is closed. */
  join(link: DeviceLink): DeviceLink | undefined
  links(): number
}

export interface Shares {
  of(account: Pick<Account, 'id' | 'quotas'>): Share
}

export const LINKS_PER_MAILBOX = 64
export const ROOM_PER_MAILBOX_BYTES: number = 64 * 1_024 * 1_024
/** What one link may have unread in any case. */
export const UNREAD_IN_ANY_CASE_BYTES: number = 3 * 1_024 * 1_024

export function createShares(): Shares {
  const shares = new Map<DeviceId, Share & { readonly mailboxes: number }>()
  return {
    of({ id, quotas }) {
      const known = shares.get(id)
      if (known !== undefined && (known.mailboxes === quotas.mailboxes || known.links() > 0)) return known
      const share = { ...createShare(quotas.mailboxes), mailboxes: quotas.mailboxes }
      shares.set(id, share)
      return share
    },
  }
}

function createShare(mailboxes: number): Share {
  const room = createRoom(mailboxes * ROOM_PER_MAILBOX_BYTES)
  let links = 0
  return {
    room,
    links: () => links,
    join(link) {
      if (links >= mailboxes * LINKS_PER_MAILBOX) return undefined
      links++
      link.closed.addEventListener('abort', () => links--, { once: true })
      return countingUnread(link, room)
    },
  }
}

function countingUnread(link: DeviceLink, room: Room): DeviceLink {
  let unread = 0
  return {
    peer: link.peer,
    path: link.path,
    outbound: link.outbound,
    closed: link.closed,
    pending: channel => link.pending(channel),
    close: (code: CloseCode) => link.close(code),
    async send(channel, frame) {
      const isFree = unread + frame.length <= UNREAD_IN_ANY_CASE_BYTES
      const isTaken = !isFree && room.take(frame.length)
      if (!isFree && !isTaken) return link.close('too-slow')
      unread += frame.length
      try {
        await link.send(channel, frame)
      } finally {
        unread -= frame.length
        if (isTaken) room.give(frame.length)
      }
    },
  }
}
