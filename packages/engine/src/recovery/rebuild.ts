/**
 * Fills a fresh store from a source: this machine is let in by the phrase, the lost ones are put out, and every chunk is opened and
 * compared with its name before it is kept, as if another device had sent it.
 */
import {
  MIB,
  createDeviceInspector,
  createReplica,
  openOrCleanUp,
  recoverGroup,
  type ChunkId,
  type DeviceIdentity,
  type Group,
  type GroupDevice,
  type RecoveryKeys,
  type RecoveryPublicKeys,
  type Replica,
} from '@segue/core'
import type { Inspector, SealedChunk } from '@segue/core/ports'
import type { Store } from '@segue/storage'
import { saveGroup } from '../device-records.ts'
import { nativeVerifier } from '../platform/native-verifier.ts'
import type { Platform } from '../runtime.ts'
import type { RestoreSource } from './restore-source.ts'

export interface RebuildParts extends Platform {
  readonly store: Store
  readonly identity: DeviceIdentity
  readonly source: RestoreSource
  readonly keys: RecoveryKeys
  readonly isLost: (device: GroupDevice) => boolean
  readonly replacement: RecoveryPublicKeys
  readonly signal: AbortSignal | undefined
  readonly onChunks: (chunks: number) => void
}

export interface Rebuilt {
  readonly group: Group
  readonly chunks: number
  /** Not what they say they are, or sealed under a key that nobody gave the phrase: not kept. */
  readonly leftOut: number
}

export async function rebuild(parts: RebuildParts): Promise<Rebuilt> {
  const { store, identity, source, keys, isLost, replacement, clock, random, hasher, logger, worker } = parts
  const { group } = recoverGroup({
    ...{ keys, identity, random, hasher, isLost, replacement },
    verifier: nativeVerifier,
    time: clock.now(),
    secret: source.secret,
    entries: source.entries,
    id: source.group,
  })
  const entries = group.entries().map(entry => entry.bytes)
  await saveGroup(store.records, { id: group.id, secret: group.secret, entries, dropChunks: false })
  const inspector = createDeviceInspector({ keyring: group.keyring, worker, chunkStore: store.chunks, hasher, verifier: nativeVerifier })
  return openOrCleanUp(async opened => {
    const replica = opened.use(await createReplica({ store: store.chunks, inspector, clock, random, logger, hasher }))
    await replica.add(group.entries().map(entry => group.toChunk(entry)))
    const count = await takeChunks(parts, replica, inspector)
    await opened.close()
    return { group, ...count }
  })
}

async function takeChunks(
  { source, signal, onChunks, logger }: RebuildParts,
  replica: Replica,
  inspector: Inspector,
): Promise<{ readonly chunks: number; readonly leftOut: number }> {
  const count = { chunks: 0, leftOut: 0 }
  let page: SealedChunk[] = []
  let bytes = 0
  const keep = async (): Promise<void> => {
    signal?.throwIfAborted()
    const covers = new Map<ChunkId, { readonly level: number; readonly covers: readonly ChunkId[] }>()
    const good: SealedChunk[] = []
    for (const chunk of page) {
      const verdict = await inspector.inspect(chunk)
      if (verdict.kind === 'good') {
        good.push(chunk)
        if (chunk.class === 'fragment') covers.set(chunk.id, verdict)
      } else {
        count.leftOut++
        logger.warn('chunk-not-restored', { chunk: chunk.id, verdict: verdict.kind })
      }
    }
    await replica.add(good, { covers })
    count.chunks += good.length
    onChunks(count.chunks)
    page = []
    bytes = 0
  }
  for await (const chunk of source.chunks) {
    page.push(chunk)
    bytes += chunk.bytes.length
    if (bytes >= PAGE_BYTES) await keep()
  }
  await keep()
  return count
}

const PAGE_BYTES: number = MIB
