/**
 * Fills a fresh store: this machine is let in by the phrase, the lost ones are put out, and every chunk is opened and compared with its
 * name before it is kept, as if another device had sent it.
 */
import {
  createDeviceInspector,
  createDocuments,
  createReplica,
  holdBefore,
  openLate,
  openOnPaper,
  PINNED_CHANGES,
  recoverGroup,
  type DeviceId,
  type DeviceIdentity,
  type Group,
  type GroupDevice,
  type RecoveryKeys,
  type RecoveryPublicKeys,
  type Replica,
} from '@segue/core'
import type { Store } from '@segue/storage'
import { saveGroup } from '../device-records.ts'
import { nativeVerifier } from '../platform/native-verifier.ts'
import type { Platform } from '../runtime.ts'
import type { Filled, Filling, RestoreSource } from './restore-source.ts'

export interface RebuildParts extends Platform {
  readonly store: Store
  readonly identity: DeviceIdentity
  readonly source: RestoreSource
  readonly keys: RecoveryKeys
  /** Which of them stay. */
  readonly keep: (devices: readonly GroupDevice[]) => Promise<readonly DeviceId[]>
  readonly replacement: RecoveryPublicKeys
  readonly signal: AbortSignal
  readonly onProgress: Filling['onProgress']
}

export interface Rebuilt extends Filled {
  readonly group: Group
  readonly removed: readonly DeviceId[]
}

export async function rebuild(parts: RebuildParts): Promise<Rebuilt> {
  const { store, identity, source, keys, replacement, signal, onProgress, clock, random, hasher, logger, worker } = parts
  const { group: id, secret, entries } = await source.readLog(store.chunks)
  const common = { keys, random, hasher, verifier: nativeVerifier, secret, entries, id }
  const devices = openOnPaper(common)
    .state.peek()
    .devices.filter(each => each.removal === undefined)
  const kept = new Set(await parts.keep(devices))
  const removed = devices.flatMap(each => (kept.has(each.id) ? [] : [each.id]))
  const { group } = recoverGroup({ ...common, identity, isLost: each => removed.includes(each.id), replacement, time: clock.now() })

  const all = group.entries()
  await saveGroup(store.records, { id, secret, entries: all.map(entry => entry.bytes), dropChunks: false })
  const { chunks } = store
  const inspector = createDeviceInspector({ keyring: group.keyring, worker, chunkStore: chunks, hasher, verifier: nativeVerifier })
  const replica = await createReplica({ store: chunks, inspector, clock, random, logger, hasher })
  try {
    const filled = await source.bring({ replica, chunks, inspector, signal, onProgress })
    // After that: a source that is a relay would hear of them, and nobody may before the person has the new words.
    await replica.add(all.map(entry => group.toChunk(entry)))
    await signKeeps(parts, group, replica, removed)
    return { group, removed, ...filled }
  } finally {
    await replica.close()
  }
}

/**
 * What was brought was held before the lost devices were put out; this machine vouches for it, document by document, before anybody hears
 * of their removal. Should it be lost in its turn, the next one takes what it kept.
 */
async function signKeeps(parts: RebuildParts, group: Group, replica: Replica, removed: readonly DeviceId[]): Promise<void> {
  const { store, identity, signal, clock, random, hasher, logger, worker } = parts
  const { chunks: chunkStore, records } = store
  const { keyring } = group
  await holdBefore({ trust: group, records, chunkStore }, ({ target }) => removed.includes(target))
  const stored = (): Promise<void> => replica.settled()
  const late = await openLate({ trust: group, records, chunkStore, keyring, hasher, stored, pinned: PINNED_CHANGES })
  const documents = createDocuments({
    ...{ late, replica, keyring, identity, chunkStore, worker, clock, random, logger, hasher },
    verifier: nativeVerifier,
    logHeads: () => group.state.peek().heads,
  })
  try {
    await documents.late?.settled({ signal })
  } finally {
    await documents.close()
  }
}
