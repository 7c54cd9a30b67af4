/**
 * A relay as what a restore takes from. The phrase's key is on the member list of one mailbox there, and the list has the group secret in
 * a box for it. First the log comes, which says who is in the group and which keys there are; then everything else, checked as it comes.
 */
import {
  GROUP_DOC_TAG,
  MINUTE_MS,
  OWN_MAILBOX,
  SECOND_MS,
  SegueError,
  createReplica,
  decodeMemberList,
  deviceIdOf,
  entriesIn,
  groupSecretIn,
  idBytes,
  isSegueError,
  keylessInspector,
  openOrCleanUp,
  type DeviceId,
  type RecoveryKeys,
  type Replica,
} from '@segue/core'
import type { ChunkStore, Clock, DeviceLink, Logger } from '@segue/core/ports'
import type { NetNode } from '@segue/net'
import { nativeHasher } from '../platform/native-hasher.ts'
import { systemRandom } from '../platform/system-random.ts'
import { talkToRelay, type RelayPlace } from '../relay-client.ts'
import { createPhraseNode, relayPlaceOf } from './phrase-node.ts'
import type { Filled, RestoredLog, RestoreSource } from './restore-source.ts'

interface Parts {
  readonly keys: RecoveryKeys
  readonly clock: Clock
  readonly logger: Logger
  readonly signal: AbortSignal
}

/**
 * Asks the relay what it keeps for the phrase. Rejects with SegueError RELAY_INVITE_INVALID, RECOVERY_NOT_THERE, UNREACHABLE, TIMED_OUT,
 * RELAY_*; with the signal's reason.
 */
export function openRelay(text: string, { keys, clock, logger, signal }: Parts): Promise<RestoreSource> {
  const place = relayPlaceOf(text)
  return openOrCleanUp(async opened => {
    const ended = new AbortController()
    opened.add(() => ended.abort(new SegueError('CLOSED')))
    const ending = AbortSignal.any([signal, ended.signal])
    let attach: ((link: DeviceLink) => ReturnType<Replica['attach']>) | undefined
    const node = opened.use(
      await createPhraseNode({
        ...{ keys, clock, logger },
        relay: place.id,
        onLink(link) {
          if (attach === undefined) throw new Error('broken promise: nobody is asked to link yet')
          const sync = attach(link)
          return {
            onFrame: (channel, frame) => (channel === 'sync-live' || channel === 'sync-bulk' ? sync.onFrame(channel, frame) : undefined),
            onClosed: code => sync.onClosed(code),
          }
        },
        onRefused: code => code === 'not-a-member' && ended.abort(new SegueError('RECOVERY_NOT_THERE')),
      }),
    )
    const { secret, mayLack } = await askFor(node, place, { keys, clock, signal: ending })
    const follow = async (replica: Replica, scope: 'log' | 'everything', onTick: () => number): Promise<void> => {
      attach = link => replica.attach(link, scope === 'log' ? { scope: [] } : {})
      node.setMembers(new Map([[place.id, place.addresses]]), { relays: new Set([place.id]) })
      try {
        await untilInSync(replica, place.id, { clock, signal: ending, onTick })
      } finally {
        node.setMembers(new Map())
        await node.links.peek().get(place.id)?.close('shutting-down')
        await node.links.when(links => !links.has(place.id), { signal: ending })
      }
    }
    return {
      readLog: chunks => readLog(chunks, secret, { clock, logger, follow: replica => follow(replica, 'log', () => chunks.size().chunks) }),
      async bring({ replica, chunks, onProgress }): Promise<Filled> {
        const behind = (): number => replica.peers.peek().get(place.id)?.behind ?? 0
        await follow(replica, 'everything', () => {
          const present = chunks.size().chunks
          onProgress({ chunks: present, of: present + behind() })
          return present
        })
        return { chunks: chunks.size().chunks, leftOut: 0, mayLack }
      },
      close: opened.close,
    }
  })
}

/** What the relay keeps for the phrase, opened. */
async function askFor(
  node: NetNode,
  place: RelayPlace,
  { keys, clock, signal }: Pick<Parts, 'keys' | 'clock' | 'signal'>,
): Promise<{ readonly secret: Uint8Array; readonly mayLack: boolean }> {
  const phrase = deviceIdOf(keys.signing.publicKey)
  return talkToRelay({ node, clock, signal }, place, async ask => {
    const notThere = (error: unknown): never => {
      throw isSegueError(error, 'RELAY_NOT_YOURS') ? new SegueError('RECOVERY_NOT_THERE') : error
    }
    const { list } = await ask({ v: 1, type: 'get-list', mailbox: OWN_MAILBOX }).catch(notThere)
    const read = list === undefined ? undefined : decodeMemberList(list.record)
    const recovery = read?.ok === true ? read.value.recovery : undefined
    if (read?.ok !== true || recovery?.key !== phrase) throw new SegueError('RECOVERY_NOT_THERE')
    const { retention } = await ask({ v: 1, type: 'status', mailbox: idBytes(read.value.mailbox) })
    // Who made the box is shown by what it opens: the log that names this phrase.
    const secret = groupSecretIn({ secretBox: recovery.box }, keys)
    if (secret === undefined) throw new SegueError('RECOVERY_NOT_THERE')
    return { secret, mayLack: retention !== 'keep' }
  })
}

async function readLog(
  chunks: ChunkStore,
  secret: Uint8Array,
  { clock, logger, follow }: Pick<Parts, 'clock' | 'logger'> & { readonly follow: (replica: Replica) => Promise<void> },
): Promise<RestoredLog> {
  // Nothing can be checked before the log is read; whoever reads it checks every entry.
  const replica = await createReplica({
    ...{ store: chunks, clock, logger, hasher: nativeHasher, random: systemRandom },
    inspector: keylessInspector,
    keyless: true,
  })
  try {
    await follow(replica)
  } finally {
    await replica.close()
  }
  const ids = (await chunks.listDocument(GROUP_DOC_TAG)).filter(chunk => chunk.class === 'log').map(chunk => chunk.id)
  const { group, entries } = entriesIn(secret, await chunks.getMany(ids))
  if (group === undefined) throw new SegueError('RECOVERY_NOT_THERE')
  return { group, secret, entries }
}

/** Rejects with TIMED_OUT when for a while nothing more comes and it is not all. */
async function untilInSync(
  replica: Replica,
  relay: DeviceId,
  { clock, signal, onTick }: { readonly clock: Clock; readonly signal: AbortSignal; readonly onTick: () => number },
): Promise<void> {
  const stalled = new AbortController()
  let last = onTick()
  let movedAt = clock.monotonic()
  let cancel = (): void => undefined
  const look = (): void => {
    const now = onTick()
    if (now !== last) movedAt = clock.monotonic()
    last = now
    if (clock.monotonic() - movedAt > STALLED_MS) stalled.abort(new SegueError('TIMED_OUT'))
    else cancel = clock.after(LOOK_MS, look)
  }
  look()
  try {
    await replica.peers.when(
      peers => {
        const peer = peers.get(relay)
        return peer?.state === 'in-sync' && peer.behind === 0
      },
      { signal: AbortSignal.any([signal, stalled.signal]) },
    )
    await replica.settled()
    onTick()
  } finally {
    cancel()
  }
}

const LOOK_MS: number = SECOND_MS / 4
const STALLED_MS: number = MINUTE_MS
