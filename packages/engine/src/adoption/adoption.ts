/**
 * A machine that has work of its own joins another group and brings it along: the same documents, under the same ids, with the same
 * history, sealed anew under the keys of the group it joins. What is on disk says at any moment where it stands:
 *
 *     (nothing)           in its own group; copies that a try left behind go when Segue opens
 *     plan, not copied    let in. The own group's store is untouched: everything is copied from it, or, where that cannot be done, this
 *                         machine goes back to its own group as if nothing had been
 *     plan, told          the same, all but the last edits copied; the own group's devices may have heard that this one left, so there is
 *                         no way back: what cannot be copied now is when Segue opens next
 *     plan, copied        every copy was read back and compared. The own group's store goes, the copies come into the new group's
 *     (nothing)           every document there was found again with all of its history: the copies go
 *
 *     adoption/plan            CBOR: the own group's record, what is listed, whether it is copied
 *     adoption/copies/<id>     Automerge's save of one document, id in hex
 */
import * as A from '@automerge/automerge'
import { documentIdToBinary, type DocumentId } from '@automerge/automerge-repo'
import {
  bytesUpTo,
  decodeCbor,
  documentIdOfBytes,
  encodeCbor,
  equalBytes,
  fromHex,
  isSegueError,
  SegueError,
  toHex,
  wholeNumber,
  type DeviceId,
  type SessionDoc,
  type SessionId,
} from '@segue/core'
import type { Logger, RecordStore } from '@segue/core/ports'
import * as v from 'valibot'
import { GROUP_KEY } from '../device-records.ts'
import type { Runtime } from '../runtime.ts'

export interface AdoptionPreview {
  readonly sessions: readonly { readonly id: SessionId; readonly title: string }[]
  /** Documents in them, and beside them. */
  readonly documents: number
  /** Sessions of which something is not on this machine yet: it would stay behind with the other devices of its group. */
  readonly incomplete: readonly { readonly id: SessionId; readonly title: string }[]
  /** The other devices of the group that this machine leaves; they keep what they have. */
  readonly otherDevices: readonly string[]
  /**
   * Whether this machine takes itself out of the group it leaves, or why it cannot: only admins remove devices, and a group needs one. A
   * member says that it leaves, and is in their list until an admin's device hears; the last admin stays there.
   */
  readonly leaving: 'alone' | 'removes-itself' | 'needs-an-admin' | 'last-admin'
}

export interface AdoptionOutcome extends Adopted {
  /** Titles that are there from both sides; it grows as the other side's sessions arrive. */
  readonly sameTitles: readonly string[]
}

export interface Adopted {
  readonly sessions: readonly SessionId[]
  readonly documents: number
  /** Documents that the joined group deleted for good: they did not come along. */
  readonly deletedThere: number
}

export async function previewOf({ group, index, documents }: Runtime, self: DeviceId): Promise<AdoptionPreview> {
  await index.whenRead()
  await documents.flush()
  const sessions = index.sessions.peek()
  const incomplete: { id: SessionId; title: string }[] = []
  const all = new Set<DocumentId>(index.documents.peek().map(({ id }) => id))
  for (const { id, documentId, title } of sessions) {
    const listed = await documentsOf(documents, documentId)
    const heads = await Promise.all(listed.map(each => documents.headsOf(each)))
    if (listed.length < SESSION_STRUCTURES || heads.some(each => each.length === 0)) incomplete.push({ id, title })
    for (const each of listed.slice(SESSION_STRUCTURES)) all.add(each)
  }
  const others = group.state.peek().devices.filter(device => device.active && device.id !== self)
  const admins = others.some(device => device.role === 'admin')
  const isAdmin = group.device(self)?.role === 'admin'
  return {
    sessions: sessions.map(({ id, title }) => ({ id, title })),
    documents: all.size,
    incomplete,
    otherDevices: others.map(({ name }) => name),
    leaving: others.length === 0 ? 'alone' : !isAdmin ? 'needs-an-admin' : admins ? 'removes-itself' : 'last-admin',
  }
}

export interface Adoption {
  /** Copies what is here, so that a disk without room says so before anything is decided. Rejects with STORE_FAILED. */
  prepare(runtime: Runtime): Promise<void>
  /** To be written in one with the record of the joined group: from then on the machine is on its way. */
  plan(): Promise<ReadonlyMap<string, Uint8Array>>
  /**
   * Before others hear that this machine leaves, while it still runs in its own group: copies what came since, and from then on goes on
   * only. Rejects when that cannot be done; then it is as if nothing had been.
   */
  decide(runtime: Runtime): Promise<void>
  /** The joining came to nothing. */
  cancel(): Promise<void>
}

export function createAdoption(records: RecordStore): Adoption {
  return {
    async prepare(runtime) {
      try {
        await copyAll(records, runtime)
      } catch (error) {
        await dropCopies(records).catch(() => undefined) // when Segue opens next, then
        throw error
      }
    },
    async plan() {
      const own = await records.get(GROUP_KEY)
      if (own === undefined) throw new SegueError('STORE_DAMAGED', { record: GROUP_KEY })
      return new Map([[PLAN_KEY, encodePlan({ own, isCopied: false, sessions: [], documents: [] })]])
    },
    async decide(runtime) {
      const plan = await loadPlan(records)
      if (plan === undefined) return
      try {
        await copyAll(records, runtime)
        await records.write(new Map([[PLAN_KEY, encodePlan({ ...plan, isTold: true })]]))
      } catch (error) {
        await undo(records, plan)
        throw error
      }
    },
    cancel: () => dropCopies(records),
  }
}

interface Steps {
  readonly records: RecordStore
  readonly logger: Logger
  /** Opens the group whose record `records` has, on the store as it is. */
  readonly open: (records: RecordStore) => Promise<Runtime>
}

/**
 * Before the group's runtime is made: copies what is not copied yet. Where that fails this machine is in its own group again, and the
 * error says why; the next opening is as if nothing had been.
 */
export async function copyForAdoption({ records, logger, open }: Steps): Promise<void> {
  const plan = await loadPlan(records)
  if (plan === undefined) return dropCopies(records)
  if (plan.isCopied) return
  try {
    const own = await open(withOwnGroup(records, plan.own))
    try {
      const listed = await copyAll(records, own)
      await records.write(new Map([[PLAN_KEY, encodePlan({ ...plan, ...listed, isCopied: true })]]))
    } finally {
      await own.close()
    }
  } catch (error) {
    if (plan.isTold === true) throw error // it goes on when Segue opens next
    logger.error('adoption-undone', { error: String(error) })
    await undo(records, plan)
    throw error
  }
}

/** Let in, and not there with everything yet. */
export async function isOnTheWay(records: RecordStore): Promise<boolean> {
  return (await loadPlan(records)) !== undefined
}

/** In the joined group's runtime: brings the copies in. What interrupts it, it goes on when Segue opens next. */
export async function finishAdoption(records: RecordStore, { documents, index, replica }: Runtime): Promise<Adopted | undefined> {
  const plan = await loadPlan(records)
  if (plan?.isCopied !== true) return undefined
  await index.whenRead()
  const gone = new Set<string>()
  for await (const [key, saved] of records.list(COPIES)) {
    const documentId = documentIdOfBytes(fromHex(key.slice(COPIES.length)))
    try {
      await documents.create(saved, { documentId })
      await documents.flush(documentId)
      await documents.evict(documentId)
    } catch (error) {
      if (!isSegueError(error, 'DOCUMENT_DELETED')) throw error
      gone.add(documentId)
    }
  }
  const sessions = plan.sessions.filter(({ documentId }) => !gone.has(documentId))
  for (const { id, kind, title } of plan.documents) {
    if (!gone.has(id)) index.putDocument({ id: id as DocumentId, kind, ...(title === undefined ? {} : { title }) })
  }
  for (const { id, documentId, title, createdAt } of sessions) {
    index.putSession({ id: id as SessionId, documentId: documentId as DocumentId, title, createdAt })
  }
  await documents.flush()
  await replica.settled()
  for await (const [key, saved] of records.list(COPIES)) {
    const documentId = documentIdOfBytes(fromHex(key.slice(COPIES.length)))
    if (gone.has(documentId)) continue
    const heads = A.getHeads(A.load(saved))
    if (!A.hasHeads(await documents.read(documentId), heads)) throw new SegueError('STORE_FAILED', { document: documentId })
  }
  await records.write(new Map([[PLAN_KEY, undefined]]))
  await dropCopies(records)
  return {
    sessions: sessions.map(({ id }) => id as SessionId),
    documents: plan.documents.filter(({ id }) => !gone.has(id)).length,
    deletedThere: gone.size,
  }
}

/** Titles that are there from both sides. */
export function sameTitles({ index }: Pick<Runtime, 'index'>, brought: readonly SessionId[]): readonly string[] {
  const ours = new Set(brought)
  const all = index.sessions.peek()
  const theirs = new Set(all.flatMap(({ id, title }) => (ours.has(id) ? [] : [title])))
  return all.flatMap(({ id, title }) => (ours.has(id) && theirs.has(title) ? [title] : []))
}

/** Every document of the group, and what its index lists. Read back and compared: a copy is there whole, or this rejects. */
async function copyAll(records: RecordStore, { documents, index }: Runtime): Promise<Pick<Plan, 'sessions' | 'documents'>> {
  await index.whenRead()
  await documents.flush()
  const sessions = index.sessions.peek()
  const all = new Set<DocumentId>(index.documents.peek().map(({ id }) => id))
  for (const { documentId } of sessions) for (const id of await documentsOf(documents, documentId)) all.add(id)
  for (const id of all) {
    const doc = await documents.read(id)
    if (A.getHeads(doc).length === 0) continue // not on this machine; the preview said so
    const key = COPIES + toHex(documentIdToBinary(id) ?? new Uint8Array())
    const saved = A.save(doc)
    const present = await records.get(key)
    if (present !== undefined && equalBytes(present, saved)) continue
    await records.write(new Map([[key, saved]]))
    const read = await records.get(key)
    const heads = read === undefined ? [] : A.getHeads(A.load(read))
    if (heads.toSorted().join() !== A.getHeads(doc).toSorted().join()) throw new SegueError('STORE_FAILED', { document: id })
  }
  return {
    sessions: sessions.map(({ id, documentId, title, createdAt }) => ({ id, documentId, title, createdAt })),
    documents: index.documents.peek().map(({ id, kind, title }) => ({ id, kind, ...(title === undefined ? {} : { title }) })),
  }
}

/** The session document, its three companions, its members, those taken off the list too. */
async function documentsOf(documents: Pick<Runtime['documents'], 'read'>, session: DocumentId): Promise<readonly DocumentId[]> {
  const doc = (await documents.read(session)) as unknown as Partial<SessionDoc>
  const companions = Object.values(doc.companions ?? {}).flatMap(word => (word === undefined ? [] : [word.val as DocumentId]))
  return [session, ...companions, ...(Object.keys(doc.documents ?? {}) as DocumentId[])]
}

/** In its own group again. */
async function undo(records: RecordStore, { own }: Plan): Promise<void> {
  await records.write(
    new Map([
      [GROUP_KEY, own],
      [PLAN_KEY, undefined],
    ]),
  )
  await dropCopies(records).catch(() => undefined) // when Segue opens next, then
}

/** The own group, as if it had not been left; nothing of it is written. */
function withOwnGroup(records: RecordStore, own: Uint8Array): RecordStore {
  return {
    ...records,
    get: key => (key === GROUP_KEY ? Promise.resolve(own) : records.get(key)),
    write: changes => records.write(new Map([...changes].filter(([key]) => key !== GROUP_KEY))),
  }
}

async function dropCopies(records: RecordStore): Promise<void> {
  const changes = new Map<string, undefined>()
  for await (const [key] of records.list(COPIES)) changes.set(key, undefined)
  if (changes.size > 0) await records.write(changes)
}

async function loadPlan(records: RecordStore): Promise<Plan | undefined> {
  const stored = await records.get(PLAN_KEY)
  if (stored === undefined) return undefined
  const decoded = decodeCbor(PLAN, stored, MAX_PLAN_BYTES)
  if (!decoded.ok) throw new SegueError('STORE_DAMAGED', { record: PLAN_KEY })
  return decoded.value
}

function encodePlan(plan: Omit<Plan, 'v'>): Uint8Array {
  return encodeCbor({ ...plan, v: 1 })
}

const PLAN_KEY = 'adoption/plan'
const COPIES = 'adoption/copies/'
const SESSION_STRUCTURES = 4
const MAX_PLAN_BYTES = 128 * 1024 * 1024
const PLAN = v.object({
  v: v.literal(1),
  own: bytesUpTo(MAX_PLAN_BYTES),
  isCopied: v.boolean(),
  isTold: v.exactOptional(v.boolean()),
  sessions: v.array(v.object({ id: v.string(), documentId: v.string(), title: v.string(), createdAt: wholeNumber })),
  documents: v.array(v.object({ id: v.string(), kind: v.string(), title: v.optional(v.string()) })),
})
type Plan = v.InferOutput<typeof PLAN>
