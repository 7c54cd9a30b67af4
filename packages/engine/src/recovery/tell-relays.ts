/**
 * After a restore: the member lists of the group's relays still name the lost devices and the phrase that was used. The phrase's key may
 * still talk to them, and its admin key signs the next list. What cannot be reached now is told by this machine later, or moved.
 */
import {
  SegueError,
  encodeMemberList,
  idBytes,
  memberListOf,
  verifyMemberList,
  type DeviceId,
  type Group,
  type GroupRelay,
  type RecoveryKeys,
} from '@segue/core'
import type { Clock, Logger } from '@segue/core/ports'
import { nativeVerifier } from '../platform/native-verifier.ts'
import { talkToRelay } from '../relay-client.ts'
import { createPhraseNode } from './phrase-node.ts'

interface Parts {
  readonly group: Group
  /** Of the phrase that was used. */
  readonly keys: RecoveryKeys
  readonly clock: Clock
  readonly logger: Logger
  readonly signal: AbortSignal
}

/** Never rejects: the relays that do not let this machine in yet. */
export async function tellRelays(parts: Parts): Promise<readonly DeviceId[]> {
  const relays = parts.group.state.peek().relays.filter(relay => !relay.retired)
  const untold: DeviceId[] = []
  for (const relay of relays) {
    try {
      await tell(relay, parts)
    } catch (error) {
      parts.logger.warn('relay-not-told', { relay: relay.id, error: String(error) })
      untold.push(relay.id)
    }
  }
  return untold
}

async function tell(relay: GroupRelay, { group, keys, clock, logger, signal }: Parts): Promise<void> {
  const adminKeys = group.relayAdminKeys(relay.mailbox)
  if (adminKeys === undefined) throw new SegueError('RELAY_NOT_YOURS')
  const onLink = (): never => {
    throw new Error('broken promise: nobody is asked to link')
  }
  const node = await createPhraseNode({ keys, clock, logger, relay: relay.id, onLink })
  try {
    await talkToRelay({ node, clock, signal }, relay, async ask => {
      const { list } = await ask({ v: 1, type: 'get-list', mailbox: idBytes(relay.mailbox) })
      const present = list === undefined ? undefined : verifyMemberList(list, relay.adminKey, nativeVerifier)
      if (present?.ok === false) throw new SegueError('RELAY_REFUSED')
      const next = memberListOf(group.state.peek(), relay.mailbox, (present?.value.version ?? 0) + 1)
      await ask({ v: 1, type: 'list', ...encodeMemberList(next, adminKeys) })
    })
  } finally {
    await node.close()
  }
}
