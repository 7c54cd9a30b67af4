/** What was deleted for good during a day, as far as somebody was promised it, and which of the changes the tombstones know. */
import * as A from '@automerge/automerge'
import type { DocumentId } from '@automerge/automerge-repo'
import { GROUP_DOC_TAG, type Deletion, type DeletionId, type DeviceId } from '@segue/core'
import { createGroupRegisters, decodeTombstone, type SeededRandom, type Tombstone } from '@segue/core/testing'
import type { Process } from './device.ts'
import type { Acknowledged, Oracle } from './oracle.ts'

export interface DeletionWorld {
  readonly onMade: Oracle['made']
  /** Deleting resolved on this device: the tombstones are on its disk. */
  promised(process: Process, deletions: readonly Deletion[]): void
  readonly owed: ReadonlyMap<DeletionId, DeviceId>
  /** What was kept aside of these was let go by a person. */
  readonly discarded: Set<DeletionId>
  /** The hashes of it that none of these tombstones knows, of its document or of a copy, so that they are kept somewhere. */
  beyond(acknowledged: Acknowledged, tombstones: readonly Tombstone[], isCopy: (document: DocumentId) => boolean): readonly string[]
}

export function createDeletionWorld(): DeletionWorld {
  const owed = new Map<DeletionId, DeviceId>()
  const written = new Map<string, { readonly actor: string; readonly seq: number }>()
  return {
    owed,
    discarded: new Set(),
    onMade(process, document, heads) {
      const doc = process.runtime.documents.repo.handles[document]?.doc() as A.Doc<unknown> | undefined
      for (const hash of doc === undefined ? [] : heads) {
        const change = written.has(hash) ? undefined : A.inspectChange(doc as A.Doc<unknown>, hash)
        if (change !== undefined && change !== null) written.set(hash, { actor: change.actor, seq: change.seq })
      }
    },
    promised({ device }, deletions) {
      for (const { id } of deletions) owed.set(id, device.id)
    },
    beyond({ document, heads }, tombstones, isCopy) {
      const all = tombstones.flatMap(each => each.documents)
      const named = all.filter(({ documentId }) => documentId === document)
      // Drafts are written anew in a copy, and what is about a session goes with it.
      if (named.some(({ kind, known }) => kind !== 'document' || known === undefined)) return []
      return heads.filter(hash => {
        const { actor, seq } = written.get(hash) ?? { actor: '', seq: 0 }
        const knowing = all.filter(({ documentId }) => documentId === document || isCopy(documentId))
        return knowing.every(({ known }) => seq > (known?.get(actor.slice(0, KNOWN_ACTOR_DIGITS)) ?? 0))
      })
    },
  }
}

/** Every tombstone that lies on this device's disk. */
export async function tombstonesOn({ device, runtime }: Process, random: SeededRandom): Promise<readonly Tombstone[]> {
  const store = device.chunks()
  const registers = createGroupRegisters({ identity: device.identity, keyring: runtime.group.keyring, random })
  const held = (await store.listDocument(GROUP_DOC_TAG)).filter(record => record.class === 'register')
  return (await store.getMany(held.map(({ id }) => id))).flatMap(chunk => {
    const register = registers.read(chunk)
    const tombstone = register && decodeTombstone(register.name, register.body)
    return tombstone?.ok === true ? [tombstone.value] : []
  })
}

/** What this process knows to be deleted, or about to be. */
export function deletedFor({ runtime }: Process): ReadonlySet<DocumentId> {
  return new Set(runtime.deletions.list.peek().flatMap(({ documents }) => documents))
}

/** As a tombstone names an actor. */
const KNOWN_ACTOR_DIGITS = 16
