/**
 * After a restore: the member lists of the group's relays still name the lost devices and the phrase that was used. The phrase's key may
 * still talk to them, and the mailbox's admin key signs the next list. Relays that cannot be reached at once are told when this device is
 * open: until then the phrase's signing key, which is good for nothing else any more, lies sealed in this device's records.
 */
import {
  MINUTE_MS,
  SECOND_MS,
  SIGNING_SEED_BYTES,
  SegueError,
  bytesOf,
  decodeCbor,
  encodeCbor,
  encodeMemberList,
  idBytes,
  isOnList,
  isSegueError,
  memberListOf,
  signingKeysOf,
  verifyMemberList,
  type Closeable,
  type DeviceId,
  type Group,
  type GroupRelay,
  type RecoveryKeys,
} from '@segue/core'
import type { Clock, Logger, RecordStore } from '@segue/core/ports'
import * as v from 'valibot'
import { nativeVerifier } from '../platform/native-verifier.ts'
import { talkToRelay } from '../relay-client.ts'
import { createPhraseNode } from './phrase-node.ts'

type UsedPhrase = Pick<RecoveryKeys, 'signing'>

interface Parts {
  readonly self: DeviceId
  readonly group: Group
  /** Of the phrase that was used. */
  readonly keys: UsedPhrase
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
      // Not on its list any more: somebody has put another in its place, which is what this is for.
      if (isSegueError(error, 'RELAY_NOT_YOURS')) continue
      parts.logger.info('relay-not-told', { relay: relay.id, error: String(error) })
      untold.push(relay.id)
    }
  }
  return untold
}

export async function keepUsedPhrase(records: RecordStore, { signing }: UsedPhrase): Promise<void> {
  await records.write(new Map([[KEY, encodeCbor({ v: 1, seed: signing.secretKey.subarray(0, SIGNING_SEED_BYTES) })]]))
}

interface LaterParts extends Omit<Parts, 'group' | 'keys' | 'signal'> {
  readonly records: RecordStore
  readonly group: () => Group | undefined
  /** A relay lets this device in now. */
  readonly onTold: () => void
}

/** Tells the relays that a restore could not tell, until all are; then nothing of the phrase is left here. */
export function createUntoldRelays({ records, group, onTold, ...parts }: LaterParts): Closeable {
  const stopped = new AbortController()
  const work = async (): Promise<void> => {
    const stored = await records.get(KEY)
    const kept = stored === undefined ? undefined : decodeCbor(USED, stored, 128)
    if (kept?.ok !== true) return
    const keys = { signing: signingKeysOf(kept.value.seed) }
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const current = group()
      const untold = current === undefined ? [parts.self] : await tellRelays({ ...parts, group: current, keys, signal: stopped.signal })
      stopped.signal.throwIfAborted()
      onTold()
      if (untold.length === 0) return records.write(new Map([[KEY, undefined]]))
      await parts.clock.sleep(pauseMs, { signal: stopped.signal })
    }
  }
  const working = work().catch((error: unknown) => {
    if (!stopped.signal.aborted) parts.logger.warn('relays-not-told', { error: String(error) })
  })
  const close = async (): Promise<void> => {
    stopped.abort(new SegueError('CLOSED'))
    await working
  }
  return { close, [Symbol.asyncDispose]: close }
}

async function tell(relay: GroupRelay, { self, group, keys, clock, logger, signal }: Parts): Promise<void> {
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
      if (present !== undefined && isOnList(present.value, self)) return
      const next = memberListOf(group.state.peek(), relay.mailbox, (present?.value.version ?? 0) + 1)
      await ask({ v: 1, type: 'list', ...encodeMemberList(next, adminKeys) })
    })
  } finally {
    await node.close()
  }
}

const KEY = 'device/used-phrase'
const USED = v.object({ v: v.literal(1), seed: bytesOf(SIGNING_SEED_BYTES) })
const FIRST_PAUSE_MS: number = 2 * SECOND_MS
const LONGEST_PAUSE_MS: number = 5 * MINUTE_MS
