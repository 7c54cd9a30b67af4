/**
 * What is known of removals during a day of trust: who learned of which, what each change was written after, and which changes of a
 * removed device somebody held at the moment of learning. It only ever believes too much to be allowed, never too little.
 */
import * as A from '@automerge/automerge'
import type { DocumentId } from '@automerge/automerge-repo'
import type { DeviceId, EpochId } from '@segue/core'
import type { ChunkStore } from '@segue/core/ports'
import { openChunk, readCommit } from '@segue/core/testing'
import type { Device, Disk, Process } from './device.ts'
import type { Network } from './network.ts'
import type { Acknowledged, Oracle } from './oracle.ts'
import type { TimeLine } from './timeline.ts'

/** One change that a person made. */
export interface Change {
  readonly document: DocumentId
  readonly hash: string
  readonly author: DeviceId
  /** Whom the device that wrote it knew to be removed. */
  readonly knew: ReadonlySet<DeviceId>
  /** Changes of the same document that it was written after: whoever takes it takes them. */
  readonly after: readonly Change[]
  /** Devices that had it on their disks, or in the document, when they learned that its author was removed. */
  readonly heldBy: Set<DeviceId>
  /** Of these, the ones that showed it in the document and had it on their disks: they vouch for it. */
  readonly keptBy: Set<DeviceId>
}

export interface TrustWorld {
  readonly onMade: Oracle['made']
  /** From now on what this process learns is noted, and ends its links to whoever is out. */
  watch(process: Process, network: Network): void
  readonly changes: readonly Change[]
  /** Of documents that somebody who is out had written to: whatever lay there by itself when that was learned, and its dependencies. */
  readonly lying: ReadonlyMap<DocumentId, ReadonlySet<string>>
  /** Removed somewhere, by somebody who may turn out not to have been allowed to. */
  isAnybodyOut(): boolean
  /** A machine with the keys of another. */
  readonly clones: Set<Device>
  /** Copies of disks that were taken. */
  readonly images: Map<Device, Disk>
  /** Before this process is set back: what it had of others, and did not know to be removed, it may have built on, in a claim or a checkpoint too. */
  noteBuiltOn(process: Process): Promise<void>
  /** The device is what it was earlier: what it acknowledged since is safe only where others have it, by now in `holders`. */
  setBack(device: Device, lost: ReadonlyMap<Acknowledged, ReadonlySet<DeviceId>>): void
  readonly wentBack: ReadonlySet<DeviceId>
  /** What nobody can ask of this device any more: it was set back, or wrote it on a machine with copied keys. */
  isExcused(acknowledged: Acknowledged, device?: Device): boolean
  /** Where what a device that was set back had acknowledged was still to be found. Undefined: it was not set back. */
  holdersOf(acknowledged: Acknowledged): ReadonlySet<DeviceId> | undefined
  isTwin(device: DeviceId): boolean
}

export function createTrustWorld({ note }: TimeLine): TrustWorld {
  const changes: Change[] = []
  const lying = new Map<DocumentId, Set<string>>()
  const images = new Map<Device, Disk>()
  const clones = new Set<Device>()
  const wentBack = new Set<DeviceId>()
  const holders = new Map<Acknowledged, ReadonlySet<DeviceId>>()
  let isAnybodyOut = false

  const removedFor = (process: Process): ReadonlySet<DeviceId> =>
    new Set(process.runtime.group.state.peek().devices.flatMap(({ id, removal }) => (removal === undefined ? [] : [id])))
  /** What is being written now counts as held, and what waits for something it depends on as well. */
  const noteHeld = async (process: Process, target: DeviceId): Promise<void> => {
    const { runtime, device } = process
    if (runtime.group.removalOf(device.id) !== undefined) return
    const theirs = changes.filter(({ author }) => author === target)
    const shown = theirs.filter(({ document, hash }) => {
      const handle = runtime.documents.repo.handles[document]
      return handle?.isReady() === true && A.hasHeads(handle.doc() as A.Doc<unknown>, [hash])
    })
    for (const change of shown) change.heldBy.add(device.id)
    await noteStored(process, theirs) // it may end before all is written
    await runtime.replica.settled()
    for (const change of shown) change.keptBy.add(device.id)
    await noteStored(process, theirs)
  }
  const noteStored = async (process: Process, theirs: readonly Change[]): Promise<void> => {
    const { runtime, device } = process
    for (const document of new Set(theirs.map(change => change.document))) {
      // What no person made, such as a claim, holds what it was written after as well.
      const loose = new Set((await commitsOf(device.chunks(), process, document)).flatMap(({ hash, deps }) => [hash, ...deps]))
      lying.set(document, new Set([...(lying.get(document) ?? []), ...loose]))
      const doc = await runtime.documents.read(document)
      for (const change of theirs) {
        const isHere = change.document === document && (loose.has(change.hash) || A.hasHeads(doc, [change.hash]))
        if (isHere) for (const each of [change, ...change.after]) each.heldBy.add(device.id)
      }
    }
  }
  const isTwin = (id: DeviceId): boolean => [...clones].some(clone => clone.id === id)

  return {
    changes,
    lying,
    images,
    clones,
    wentBack,
    isTwin,
    isAnybodyOut: () => isAnybodyOut,
    onMade(process, document, heads) {
      const doc = process.runtime.documents.repo.handles[document]?.doc() as A.Doc<unknown> | undefined
      if (doc === undefined) return
      const knew = removedFor(process)
      for (const hash of heads) {
        if (A.inspectChange(doc, hash)?.actor !== A.getActorId(doc) || changes.some(change => change.hash === hash)) continue
        note(`${process.device.name} wrote ${hash.slice(0, 6)} in ${document.slice(0, 6)}`)
        const after = changes.filter(change => change.document === document && A.hasHeads(doc, [change.hash]))
        changes.push({ document, hash, author: process.device.id, knew, after, heldBy: new Set(), keptBy: new Set() })
      }
    },
    watch(process, network) {
      let known = removedFor(process)
      process.runtime.group.state.subscribe(() => {
        if (!process.isAlive()) return
        const now = removedFor(process)
        for (const target of now) {
          if (known.has(target)) continue
          isAnybodyOut = true
          note(`${process.device.name} learns that ${process.runtime.group.device(target)?.name} is out`)
          noteHeld(process, target).catch(() => undefined) // its process ended meanwhile
        }
        known = now
        network.expel()
      })
    },
    async noteBuiltOn(process) {
      const { runtime, device } = process
      const out = removedFor(process)
      const theirs = changes.filter(({ author }) => author !== device.id && !out.has(author))
      for (const document of new Set(theirs.map(change => change.document))) {
        const doc = await runtime.documents.read(document)
        for (const change of theirs) if (change.document === document && A.hasHeads(doc, [change.hash])) change.heldBy.add(device.id)
      }
    },
    setBack(device, lost) {
      wentBack.add(device.id)
      for (const [acknowledged, where] of lost) holders.set(acknowledged, where)
      // Where others' work was still to be found may have been here.
      for (const [acknowledged, where] of holders) if (!lost.has(acknowledged)) holders.set(acknowledged, without(where, device.id))
      for (const change of changes) change.keptBy.delete(device.id)
    },
    isExcused: (acknowledged, device) => holders.has(acknowledged) || isTwin(device?.id ?? acknowledged.device),
    holdersOf: acknowledged => holders.get(acknowledged),
  }
}

/** Every change that lies in this store by itself, of those that this process has the key of. */
export async function commitsOf(store: ChunkStore, { runtime }: Process, document: DocumentId): Promise<readonly StoredCommit[]> {
  const held = await store.listDocument(runtime.documents.docTagOf(document))
  const chunks = await store.getMany(held.filter(record => record.class === 'commit').map(({ id }) => id))
  return chunks.flatMap(chunk => {
    const secret = runtime.group.keyring.secretOf(chunk.epoch)
    const opened = secret && openChunk(chunk, secret)
    const commit = opened?.ok === true ? readCommit(opened.value.content) : undefined
    return commit?.ok === true ? [{ hash: commit.value.hash, deps: commit.value.deps, epoch: chunk.epoch }] : []
  })
}

export interface StoredCommit {
  readonly hash: string
  readonly deps: readonly string[]
  readonly epoch: EpochId
}

function without(ids: ReadonlySet<DeviceId>, id: DeviceId): ReadonlySet<DeviceId> {
  return new Set([...ids].filter(each => each !== id))
}
