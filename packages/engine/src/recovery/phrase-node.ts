/** A node that is the recovery phrase: a relay admits it, because its key stands on the mailbox's member list. It listens nowhere. */
import { SegueError, decodeInvite, isDeviceId, type CloseCode, type DeviceId, type RecoveryKeys } from '@segue/core'
import type { Clock, DeviceLinkHandler, DeviceLink, Logger } from '@segue/core/ports'
import { createNode, type NetNode } from '@segue/net'
import { systemRandom } from '../platform/system-random.ts'
import type { RelayPlace } from '../relay-client.ts'

export interface PhraseNodeParts {
  readonly keys: Pick<RecoveryKeys, 'signing'>
  readonly clock: Clock
  readonly logger: Logger
  /** The relay to admit. */
  readonly relay: DeviceId
  readonly onLink: (link: DeviceLink) => DeviceLinkHandler
  readonly onRefused?: ((code: CloseCode) => void) | undefined
}

export function createPhraseNode({ keys, clock, logger, relay, onLink, onRefused }: PhraseNodeParts): Promise<NetNode> {
  return createNode({
    signing: keys.signing,
    host: { mayConnect: peer => peer === relay, onLink },
    listen: [],
    mdns: false,
    clock,
    logger,
    random: systemRandom,
    onRefused: (_peer, code) => onRefused?.(code),
  })
}

/** An invite, or a multiaddr that ends in the relay's id. Throws SegueError RELAY_INVITE_INVALID. */
export function relayPlaceOf(text: string): RelayPlace {
  const invite = decodeInvite(text)
  if (invite.ok) return { id: invite.value.relay, addresses: invite.value.addresses }
  const id = /^\/\S+\/p2p\/(\w+)$/.exec(text.trim())?.[1]
  if (id === undefined || !isDeviceId(id)) throw new SegueError('RELAY_INVITE_INVALID')
  return { id, addresses: [text.trim()] }
}
