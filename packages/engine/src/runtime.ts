/**
 * Everything that belongs to one group on this device: replica, documents, sessions, handoffs. It is made when Segue opens and made
 * anew when the device joins another group; the network node and the store outlive it.
 */
import {
  createDeletions,
  createDeviceInspector,
  createDocuments,
  createHandoffs,
  createHeartbeats,
  createIndex,
  createLaterIndex,
  createLocalDeletions,
  createRegisterCarrier,
  createReplica,
  createSessions,
  documentIdOfBytes,
  openLate,
  openOrCleanUp,
  PINNED_CHANGES,
  withoutDeleted,
  type CarriedOffer,
  type Closeable,
  type Deletions,
  type DeviceId,
  type DeviceIdentity,
  type DocumentIndex,
  type Documents,
  type Group,
  type Handoffs,
  type HeartbeatPace,
  type LocalDeletions,
  type Heartbeats,
  type Replica,
  type Sessions,
  type TelemetryEvent,
} from '@segue/core'
import type { ChunkStore, Clock, DeviceLink, DocumentWorker, Hasher, Logger, Random, RecordStore, TelemetrySink } from '@segue/core/ports'
import { createGroupKeeper, openOwnGroup, type GroupKeeper } from './group-keeper.ts'
import { createClaimWatch } from './claim-watch.ts'
import { createDeletionFace, type SegueDeletions } from './deletion/deletion-face.ts'
import { createDiskCleaner } from './deletion/disk-cleaner.ts'
import { createDuties } from './duties.ts'
import { createHandoffComponents } from './handoff-components.ts'
import { createOfferWatch, ofWhatIsHere, type SegueHandoffs } from './handoff-face.ts'
import { nativeVerifier } from './platform/native-verifier.ts'
import { createLeaving, type Leaving } from './removal/leaving.ts'
import { trustOf } from './removal/own-trust.ts'
import { createSessionFaces, type SessionFaces } from './session-face.ts'

/** What every part of the engine is made of. */
export interface Platform {
  readonly clock: Clock
  readonly random: Random
  readonly hasher: Hasher
  readonly logger: Logger
  readonly worker: DocumentWorker
}

export interface RuntimeParts extends Platform {
  readonly store: { readonly chunks: ChunkStore; readonly records: RecordStore; compact?(): Promise<void> }
  readonly identity: DeviceIdentity
  readonly telemetry: TelemetrySink<TelemetryEvent>
  /** The live link to a device, if there is one. */
  readonly linkTo: (device: DeviceId) => DeviceLink | undefined
  /** As of createDocuments. */
  readonly maxOpenDocuments?: number
  /** Default: what core says. */
  readonly heartbeatPace?: HeartbeatPace | undefined
}

export interface Runtime extends Closeable {
  readonly group: Group
  readonly keeper: GroupKeeper
  readonly replica: Replica
  readonly documents: Documents
  readonly index: DocumentIndex
  readonly sessions: Sessions
  readonly faces: SessionFaces
  readonly deletions: SegueDeletions
  readonly local: LocalDeletions
  readonly handoffs: SegueHandoffs
  readonly heartbeats: Heartbeats
  readonly leaving: Leaving
  readonly records: RecordStore
}

export function createRuntime(parts: RuntimeParts): Promise<Runtime> {
  const { store, identity, clock, random, hasher, logger, worker, telemetry, maxOpenDocuments } = parts
  const { chunks, records } = store
  return openOrCleanUp(async opened => {
    const own = await openOwnGroup({ ...parts, records, chunks })
    const { group } = own
    const { keyring } = group
    const inspector = createDeviceInspector({
      keyring,
      worker,
      chunkStore: chunks,
      hasher,
      verifier: nativeVerifier,
      mayBelong: entry => group.mayBelong(entry),
      beforeFragment: (chunk, documentId) => documents.beforeFragment(chunk, documentId),
    })
    const replica = opened.use(await createReplica({ store: chunks, inspector, clock, random, logger, hasher }))
    const keeper = opened.use(createGroupKeeper(own, replica, logger))
    const stored = (): Promise<void> => replica.settled()
    const late = await openLate({
      trust: trustOf(group, identity.id),
      records,
      chunkStore: chunks,
      keyring,
      hasher,
      stored,
      pinned: PINNED_CHANGES,
    })
    let followed: Deletions | undefined
    let left: Awaited<ReturnType<typeof createLocalDeletions>> | undefined
    const documents = opened.use(
      createDocuments({
        isDeleted: id => followed?.isDeleted(id) ?? false,
        isNotHere: id => left?.isNotHere(id) ?? false,
        late,
        verifier: nativeVerifier,
        replica,
        keyring,
        identity,
        chunkStore: chunks,
        worker,
        clock,
        random,
        logger,
        hasher,
        logHeads: () => group.state.peek().heads,
        ...(maxOpenDocuments === undefined ? {} : { maxOpenDocuments }),
      }),
    )
    const carrier = createRegisterCarrier({ identity, keyring, replica, chunkStore: chunks, random, hasher, verifier: nativeVerifier })
    const offers = createOfferWatch({ group, replica, carrier })
    const openIndex = (): Promise<DocumentIndex> => createIndex(documents, documentIdOfBytes(group.rootDocumentId))
    const isLarge = chunks.size().chunks > MANY_CHUNKS
    documents.warmUp()
    const storedIndex = opened.use(isLarge ? createLaterIndex({ open: openIndex, clock, logger }) : await openIndex())
    const disk = opened.use(createDiskCleaner({ records, clock, logger, compact: () => store.compact?.() ?? Promise.resolve() }))
    const deletions = opened.use(
      await createDeletions({
        ...{ identity, keyring, replica, documents, records, clock, random, hasher, logger, verifier: nativeVerifier },
        group: group.id,
        chunkStore: chunks,
        index: storedIndex,
        isActive: id => group.isActive(id),
        sessions: () => sessions,
        onDropping: ids => faces.release(ids),
        onDropped: disk.due,
        knownOf: id => left?.knownOf(id),
      }),
    )
    followed = deletions
    opened.add(group.state.subscribe(deletions.refresh))
    const index = opened.use(withoutDeleted(storedIndex, deletions))
    const local = opened.use(
      await createLocalDeletions({
        ...{ replica, documents, records, clock, logger, index, deletions },
        group: group.id,
        chunkStore: chunks,
        async onLeaving(ids) {
          await faces.release(ids)
          await sessions.release(ids, 'DOCUMENT_NOT_HERE')
        },
        onLeft: disk.due,
      }),
    )
    left = local
    const sessions: Sessions = opened.use(createSessions({ documents, index, deletions, identity, clock, random }))
    const faces: SessionFaces = opened.use(
      createSessionFaces({ ...parts, group, replica, documents, sessions, lease: session => handoffs.lease(session) }),
    )
    const heartbeats = opened.use(
      await createHeartbeats({
        ...{ identity, keyring, replica, records, clock, random, logger, hasher },
        group: group.id,
        chunkStore: chunks,
        verifier: nativeVerifier,
        headsOf: id => documents.headsOf(documentIdOfBytes(id)),
        flush: () => documents.flush(),
        logHeads: () => group.state.peek().heads,
        devices: () => group.state.peek().devices.flatMap(({ id, active }) => (active ? [id] : [])),
        relays: () => group.state.peek().relays.filter(relay => !relay.retired),
        pace: parts.heartbeatPace,
      }),
    )
    opened.add(group.state.subscribe(heartbeats.refresh))
    const core: Handoffs = opened.use(
      await createHandoffs({
        identity,
        clock,
        random,
        verifier: nativeVerifier,
        logger,
        records,
        telemetry,
        carrier: offers.carrier,
        ...createHandoffComponents({ ...parts, chunks, group, replica, documents, faces, heartbeats, local }),
      }),
    )
    const handoffs = opened.use(offers.watch(ofWhatIsHere(core, local)))
    const seesClaims = createClaimWatch({ clock, documents, handoffs })
    opened.add(seesClaims.close)
    const hearOffers = (offers: readonly CarriedOffer[]): void => {
      for (const { from, offer } of offers) {
        handoffs.onCarriedOffer(from, offer).catch((error: unknown) => logger.warn('offer-not-heard', { error: String(error) }))
      }
    }
    const leaving = createLeaving({
      ...{ identity, keyring, random, hasher, verifier: nativeVerifier, group, keeper, replica, clock, logger },
      chunkStore: chunks,
    })
    opened.add(leaving.close)
    opened.add(
      replica.subscribe({
        onArrived(arrived) {
          keeper.onArrived(arrived)
          leaving.onArrived(arrived)
          seesClaims.onArrived(arrived)
          hearOffers(carrier.read(arrived))
        },
      }),
    )
    hearOffers(await carrier.stored())
    await leaving.readStored()
    opened.add(group.state.subscribe(() => handoffs.onMembersChanged()))
    handoffs.onMembersChanged()
    opened.add(
      group.keyChanges.subscribe(() => {
        documents.onKeysChanged()
        replica.onKeysChanged().catch((error: unknown) => logger.warn('keys-not-tried', { error: String(error) }))
      }),
    )
    opened.add(createDuties({ self: identity.id, group, clock, logger }).close)
    opened.add(() => endWithoutDisk(replica))
    return {
      group,
      keeper,
      replica,
      documents,
      index,
      sessions,
      faces,
      deletions: opened.use(createDeletionFace({ deletions, local, disk, group, replica, clock })),
      local,
      handoffs,
      heartbeats,
      leaving,
      records,
      close: opened.close,
      [Symbol.asyncDispose]: opened.close,
    }
  })
}

/**
 * Closed first: a disk that takes nothing must not hold up the end. The replica tries once more and rejects what waits, and whoever waits
 * for it with it.
 */
function endWithoutDisk(replica: Replica): void {
  const look = (): void => {
    if (replica.durability.peek().state === 'failing') replica.close().catch(() => undefined) // heard where it is closed in its turn
  }
  replica.durability.subscribe(look)
  look()
}

/** With more than this, the index may take longer to read than opening a device should. */
const MANY_CHUNKS = 2_000
