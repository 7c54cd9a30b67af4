/** Which deletions there are, which of them this device follows, and following them. SPEC.md has the rules (X1...). */
import type { DocumentId } from '@automerge/automerge-repo'
import * as v from 'valibot'
import type { Documents, DocumentIndex } from '../documents/index.ts'
import { toHex } from '../lib/bytes.ts'
import { createCloseables } from '../lib/closeables.ts'
import { decodeCbor, encodeCbor, wholeNumber } from '../lib/codec.ts'
import { SegueError } from '../lib/errors.ts'
import { GROUP_DOC_TAG, RANDOM_ID_BYTES, type DeviceId, type DocTag } from '../lib/ids.ts'
import { createSubject } from '../lib/observable.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { RecordStore } from '../ports/record-store.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { Replica } from '../replication/index.ts'
import type { DeletedEdit, Deletion, DeletionId, Deletions } from './contract.ts'
import { watchFalseDrops } from './false-drops.ts'
import { BURST_MS, isBurst } from './guard.ts'
import { openKeptEdits, type KeptEditsParts } from './kept-edits.ts'
import { createGroupRegisters, type GroupRegistersComponents } from '../crypto/index.ts'
import { RECEIPT_NAME, encodeReceipt, noteReceipt, type Receipt } from './receipts.ts'
import { createSettingAside } from './set-aside.ts'
import { planOf, sessionsListing, unlist } from './targets.ts'
import { TOMBSTONE_PREFIX, decodeTombstone, tombstoneBodies, type DeletedDocument, type Tombstone } from './tombstone.ts'
import { knowledgeOf, type Knowledge } from './versions.ts'

export interface DeletionsParts extends GroupRegistersComponents, Omit<KeptEditsParts, 'documents' | 'keyring' | 'self'> {
  readonly isActive: (device: DeviceId) => boolean
  readonly replica: Pick<Replica, 'add' | 'drop' | 'dropRetired' | 'isDropped' | 'subscribe' | 'peers' | 'takeBackDrop'>
  readonly chunkStore: ChunkStore
  readonly records: RecordStore
  readonly documents: Pick<Documents, 'create' | 'open' | 'read' | 'forget' | 'flush' | 'late' | 'docTagOf'>
  /** As it is stored, with what was deleted. */
  readonly index: DocumentIndex
  readonly clock: Clock
  readonly logger: Logger
  /** Before the documents are taken away: whoever has them open lets go. */
  readonly onDropping?: (documents: readonly DocumentId[]) => Promise<void>
  /** After: the disk may give the space back. */
  readonly onDropped?: () => Promise<void>
  /** What this device knew of a document that it does not keep any more. */
  readonly knownOf?: (documentId: DocumentId) => Knowledge | undefined
}

/** Reads the group's registers. `refresh` looks again when who belongs changed. */
export async function createDeletions(parts: DeletionsParts): Promise<Deletions & { refresh(): void }> {
  const { identity, replica, chunkStore, records, documents, index, clock, random, logger } = parts
  const self = identity.id
  const registers = createGroupRegisters(parts)
  const kept = await openKeptEdits({ ...parts, self })
  const { readLists, setAside } = createSettingAside({ documents, index, kept })
  const tombstones = new Map<DeletionId, Known>()
  const receipts = new Map<DeviceId, Receipt>()
  const taken = new Map<DeletionId, Taken>()
  /** Once a person is to be asked, the answer alone decides. */
  const held = new Set<DeletionId>()
  const deleted = new Set<DocumentId>()
  /** What the tombstones name, followed or not. */
  const named = new Set<DocTag>()
  const takenPrefix = `deletion/${parts.group}/taken/`
  const heldPrefix = `deletion/${parts.group}/held/`
  const opened = createCloseables()
  const onListenerError = (error: unknown): void => logger.error('listener-failed', { error: String(error) })
  const list = createSubject<readonly Deletion[]>([], onListenerError)
  const edits = createSubject<readonly DeletedEdit[]>(kept.list(), onListenerError)
  const version = createSubject(0, onListenerError)
  let work: Promise<void> = Promise.resolve()
  let isClosed = false
  let told = ''

  const hear = (chunk: SealedChunk): DeletionId | undefined => {
    const register = registers.read(chunk)
    if (register === undefined) return undefined
    if (register.name === RECEIPT_NAME) {
      noteReceipt(receipts, register)
      return undefined
    }
    const tombstone = decodeTombstone(register.name, register.body)
    if (!tombstone.ok) return undefined
    for (const docTag of tagsOf(tombstone.value)) named.add(docTag)
    const present = tombstones.get(tombstone.value.id)
    if (present === undefined) tombstones.set(tombstone.value.id, { tombstone: tombstone.value, by: new Set([register.device]), register })
    else present.by.add(register.device)
    return tombstone.value.id
  }
  const tagsOf = ({ documents: all }: Tombstone): DocTag[] => all.map(({ documentId }) => documents.docTagOf(documentId))
  const isGone = (tombstone: Tombstone): boolean => tagsOf(tombstone).every(tag => replica.isDropped(tag))
  const listed = (): readonly DocumentId[] => [
    ...index.documents.peek().map(({ id }) => id),
    ...index.sessions.peek().map(({ documentId }) => documentId),
  ]
  const lately = (): number => [...taken.values()].reduce((sum, { at, count }) => (clock.now() - at < BURST_MS ? sum + count : sum), 0)

  const isDecided = ({ tombstone, by }: Known): boolean => taken.has(tombstone.id) || by.has(self) || isGone(tombstone)
  /** Looked at together, whatever order they come in, and whatever the index lists of them by now. */
  const isTooMuch = (): boolean => {
    const open = [...tombstones.values()].filter(known => !isDecided(known))
    const going = new Set(open.flatMap(({ tombstone }) => countedOf(tombstone)))
    const staying = new Set(listed().filter(id => !deleted.has(id) && !going.has(id)))
    return isBurst(lately(), going.size, staying.size)
  }
  /** Undefined: it is followed. */
  const whyWaiting = (known: Known, isMuch = isTooMuch()): Deletion['why'] => {
    if (isDecided(known)) return undefined
    if (![...known.by].some(parts.isActive)) return 'removed-device'
    return isMuch || held.has(known.tombstone.id) ? 'many' : undefined
  }
  const take = async (id: DeletionId, count: number, isAll = false): Promise<void> => {
    if (taken.has(id)) return
    const mark: Taken = { at: clock.now(), count, isAll }
    await records.write(
      new Map([
        [takenPrefix + id, encodeCbor({ v: 1, ...mark })],
        [heldPrefix + id, undefined],
      ]),
    )
    taken.set(id, mark)
  }

  const follow = async (known: Known): Promise<void> => {
    const { tombstone } = known
    const ids = tombstone.documents.map(({ documentId }) => documentId)
    const isNew = ids.some(id => !deleted.has(id))
    if (isGone(tombstone)) {
      for (const id of ids) deleted.add(id)
      if (isNew) version.set(version.peek() + 1)
      return
    }
    await take(tombstone.id, known.by.has(self) ? 0 : countedOf(tombstone).length)
    for (const id of ids) deleted.add(id)
    version.set(version.peek() + 1)
    await parts.onDropping?.(ids)
    await parts.sessions().release(ids)
    if (tombstone.session !== undefined) await readLists()
    const isAll = taken.get(tombstone.id)?.isAll ?? false
    for (let isQuiet = false; !isQuiet;) {
      const heads = await setAside(tombstone, [...known.by].toSorted()[0] ?? self, isAll)
      isQuiet = ids.map(id => documents.forget(id, heads.get(id) ?? [])).every(isForgotten => isForgotten)
    }
    await replica.drop(tagsOf(tombstone))
    await replica.dropRetired(clock.now() + 1)
    await parts.onDropped?.()
  }
  /** Somebody of the group stands for what is done, when the deleting device no longer does. */
  const second = async ({ tombstone, by, register }: Known): Promise<void> => {
    if ([...by].some(parts.isActive) || !parts.isActive(self) || by.has(self)) return
    by.add(self)
    await replica.add([registers.seal({ name: TOMBSTONE_PREFIX + tombstone.id, sequence: 1, body: register.body })])
  }
  const look = async (): Promise<void> => {
    if (isClosed) return
    if ([...tombstones.values()].some(({ tombstone }) => !isGone(tombstone))) await index.whenRead()
    const isMuch = isTooMuch()
    const asked = [...tombstones.values()].flatMap(known => (whyWaiting(known, isMuch) === 'many' ? [known.tombstone.id] : []))
    await records.write(new Map(asked.filter(id => !held.has(id)).map(id => [heldPrefix + id, new Uint8Array([1])])))
    for (const id of asked) held.add(id)
    for (const known of newestFirst(tombstones).toReversed()) {
      if (whyWaiting(known, isMuch) !== undefined) continue
      await follow(known)
      await second(known)
    }
    await tell() // whatever becomes of copies
    show()
    for (const { deletion } of kept.list()) if (isKeptElsewhere(deletion)) await kept.keep(deletion)
    edits.set(kept.list())
  }
  const isKeptElsewhere = (deletion: DeletionId): boolean => index.sessions.peek().some(({ id }) => id === kept.copyOf(deletion))
  /** Only what this device signed is its own to count on from: whoever put something else there chose its sequence. */
  const ownReceipt = async (): Promise<ReturnType<typeof registers.read>> => {
    const stored = await chunkStore.get(registers.idOf(RECEIPT_NAME, self))
    return stored && registers.read(stored)
  }
  const tell = async (): Promise<void> => {
    const all = newestFirst(tombstones)
    const gone = all.filter(({ tombstone }) => isGone(tombstone)).map(({ tombstone }) => tombstone.id)
    const waiting = all.filter(known => whyWaiting(known) !== undefined).map(({ tombstone }) => tombstone.id)
    const body = encodeReceipt(gone, waiting)
    if (toHex(body) === told || all.length === 0) return
    const sequence = ((await ownReceipt())?.sequence ?? 0) + 1
    await replica.add([registers.seal({ name: RECEIPT_NAME, sequence, body })])
    told = toHex(body)
    receipts.set(self, { gone: new Set(gone), waiting: new Set(waiting), sequence })
  }
  const show = (): void => {
    list.set(newestFirst(tombstones).map(describe))
    edits.set(kept.list())
  }
  const describe = (known: Known): Deletion => {
    const { tombstone, by } = known
    const why = whyWaiting(known)
    const saying = (says: 'gone' | 'waiting'): readonly DeviceId[] =>
      [...receipts]
        .filter(([device, receipt]) => receipt[says].has(tombstone.id) && (device === self || parts.isActive(device)))
        .map(([device]) => device)
    return {
      id: tombstone.id,
      by: by.has(self) ? self : ([...by].toSorted()[0] as DeviceId),
      at: tombstone.at,
      session: tombstone.session,
      documents: tombstone.documents.map(({ documentId }) => documentId),
      state: why !== undefined ? 'waiting' : isGone(tombstone) ? 'gone' : 'dropping',
      why,
      goneAt: saying('gone'),
      waitingAt: saying('waiting'),
    }
  }
  const inTurn = (step: () => Promise<void>): Promise<void> => {
    const done = work.then(step)
    work = done.catch((error: unknown) => {
      if (!isClosed) logger.warn('deletion-not-followed', { error: String(error) })
    })
    return done
  }
  const refresh = (): void => void inTurn(look).catch(() => undefined) // logged there; tried again with whatever comes next
  const waitingOne = (id: DeletionId): Known => {
    const known = tombstones.get(id)
    if (known === undefined || whyWaiting(known) === undefined) throw new SegueError('DELETION_UNKNOWN')
    return known
  }
  const keptOne = (id: DeletionId): DeletedEdit => {
    const found = kept.list().find(({ deletion }) => deletion === id)
    if (found === undefined) throw new SegueError('DELETION_UNKNOWN')
    return found
  }

  const deleteAll: Deletions['delete'] = async (targets, { confirmed = false, signal } = {}) => {
    const plan = await planOf(parts, targets, signal)
    if (plan.isLarge && !confirmed) throw new SegueError('DELETION_LARGE', { count: plan.count, total: plan.total })
    const chunks: SealedChunk[] = []
    for (const { session, documents: planned } of plan.parts) {
      const known: DeletedDocument[] = []
      for (const { documentId, kind } of planned) {
        const isLookedAt = kind !== 'views' && kind !== 'preferences'
        known.push({
          documentId,
          kind,
          known: isLookedAt ? (parts.knownOf?.(documentId) ?? knowledgeOf(await documents.read(documentId))) : undefined,
        })
      }
      for (const body of tombstoneBodies({ at: clock.now(), session, documents: known })) {
        chunks.push(registers.seal({ name: TOMBSTONE_PREFIX + toHex(random.bytes(RANDOM_ID_BYTES)), sequence: 1, body }))
      }
    }
    signal?.throwIfAborted()
    const listing = new Map<DocumentId, readonly DocumentId[]>()
    for (const { session, documents: planned } of plan.parts) {
      const [only] = planned
      if (session === undefined && only !== undefined) listing.set(only.documentId, await sessionsListing(parts, only.documentId))
    }
    await replica.add(chunks)
    const ids = chunks.flatMap(chunk => hear(chunk) ?? [])
    await inTurn(look)
    index.remove(plan.parts.flatMap(part => part.documents.map(({ documentId }) => documentId)))
    await unlist(documents, listing, id => deleted.has(id))
    await documents.flush()
    return list.peek().filter(({ id }) => ids.includes(id))
  }

  for await (const [key, value] of records.list(takenPrefix)) {
    const read = decodeCbor(TAKEN, value, 256)
    if (read.ok) taken.set(key.slice(takenPrefix.length), read.value)
  }
  for await (const [key] of records.list(heldPrefix)) held.add(key.slice(heldPrefix.length))
  const stored = (await chunkStore.listDocument(GROUP_DOC_TAG)).filter(record => record.class === 'register')
  for (const chunk of await chunkStore.getMany(stored.map(({ id }) => id))) hear(chunk)
  // What is gone, or was on its way, is refused from the first moment on.
  for (const known of tombstones.values()) {
    if (isDecided(known)) for (const { documentId } of known.tombstone.documents) deleted.add(documentId)
  }
  told = toHex((await ownReceipt())?.body ?? new Uint8Array())
  opened.add(
    replica.subscribe({
      onArrived(chunks) {
        const group = chunks.filter(chunk => chunk.class === 'register' && chunk.docTag === GROUP_DOC_TAG)
        const heard = group.map(hear)
        if (heard.some(id => id !== undefined)) refresh()
        else if (group.length > 0) show()
      },
    }),
  )
  opened.add(watchFalseDrops({ replica, clock, logger, isNamed: docTag => named.has(docTag) }))
  opened.add(
    index.sessions.subscribe(() => {
      if (kept.list().some(({ deletion }) => isKeptElsewhere(deletion))) refresh()
    }),
  )
  opened.add(async () => {
    isClosed = true
    await work
  })
  show()
  refresh()

  return {
    list,
    edits,
    version,
    isDeleted: id => deleted.has(id),
    plan: (targets, { signal } = {}) => planOf(parts, targets, signal),
    delete: deleteAll,
    async goOn(id) {
      await take(waitingOne(id).tombstone.id, 0)
      await inTurn(look)
    },
    async keep(id) {
      await take(waitingOne(id).tombstone.id, 0, true)
      await inTurn(look)
      const copy = await kept.keep(id)
      show()
      return copy
    },
    async keepEdits(id) {
      keptOne(id)
      const copy = await kept.keep(id)
      show()
      return copy
    },
    async discardEdits(id) {
      const added = keptOne(id).documents.filter(({ edits: count }) => count === 0)
      await kept.discard(id)
      show()
      const there = new Set(listed())
      const orphans = added.flatMap(({ documentId }) =>
        there.has(documentId) && !deleted.has(documentId) ? [{ document: documentId }] : [],
      )
      if (orphans.length > 0) await deleteAll(orphans, { confirmed: true })
    },
    settled: () => inTurn(look),
    refresh,
    close: opened.close,
    [Symbol.asyncDispose]: opened.close,
  }
}

interface Known {
  readonly tombstone: Tombstone
  /** Who stands for it. */
  readonly by: Set<DeviceId>
  readonly register: { readonly body: Uint8Array }
}

/** When it was decided here to follow it, how much that was, and whether all of it is kept as copies. */
interface Taken {
  readonly at: number
  readonly count: number
  readonly isAll: boolean
}

const TAKEN = v.object({ v: v.literal(1), at: wholeNumber, count: wholeNumber, isAll: v.boolean() })

function countedOf({ documents }: Tombstone): readonly DocumentId[] {
  return documents.flatMap(({ documentId, kind }) => (kind === 'document' || kind === 'session' ? [documentId] : []))
}

function newestFirst(tombstones: ReadonlyMap<DeletionId, Known>): Known[] {
  return [...tombstones.values()].toSorted((a, b) => b.tombstone.at - a.tombstone.at || (a.tombstone.id < b.tombstone.id ? -1 : 1))
}
