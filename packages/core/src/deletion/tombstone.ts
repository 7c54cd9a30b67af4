/**
 * Tombstones: group-wide registers that are written once and never again. One is named by its deletion, so that each device that stands
 * for the same deletion writes one of its own.
 *
 *     name = "deletion/<id, 32 hex digits>", sequence 1
 *     body = CBOR {v: 1, at, session?: 16, documents: [{id: 16, kind: 0..4, known?: as in versions.ts}]}
 *
 * Nothing in it is content: no titles. Without `known` nobody can tell what the deleting device had, and all of it is looked at.
 */
import * as v from 'valibot'
import { bytesOf, bytesUpTo, decodeCbor, encodeCbor, wholeNumber } from '../lib/codec.ts'
import { hexId, idBytes, isHexId, RANDOM_ID_BYTES, type SessionId } from '../lib/ids.ts'
import { documentIdToBinary, type DocumentId } from '@automerge/automerge-repo'
import { failed, ok, type Result } from '../lib/result.ts'
import { documentIdOfBytes } from '../session/session-ids.ts'
import { MAX_REGISTER_BYTES } from '../wire/limits.ts'
import type { DeletedKind, DeletionId } from './contract.ts'
import { KNOWLEDGE_RECORD_BYTES, packKnowledge, unpackKnowledge, type Knowledge } from './versions.ts'

export interface DeletedDocument {
  readonly documentId: DocumentId
  readonly kind: DeletedKind
  readonly known: Knowledge | undefined
}

export interface Tombstone {
  readonly id: DeletionId
  readonly at: number
  readonly session: SessionId | undefined
  readonly documents: readonly DeletedDocument[]
}

export const TOMBSTONE_PREFIX = 'deletion/'
/** Of one body: with signature, names and padding it stays a register. */
export const MAX_TOMBSTONE_BYTES: number = MAX_REGISTER_BYTES / 2

export function encodeTombstone({ at, session, documents }: Omit<Tombstone, 'id'>): Uint8Array {
  return encodeCbor({
    v: 1,
    at: Math.max(0, Math.trunc(at)),
    ...(session === undefined ? {} : { session: idBytes(session) }),
    documents: documents.map(({ documentId, kind, known }) => ({
      id: documentIdToBinary(documentId),
      kind: KINDS.indexOf(kind),
      ...(known === undefined ? {} : { known: packKnowledge(known) }),
    })),
  })
}

/** Several bodies where one would be too long; what one document alone makes too long goes without `known`. */
export function tombstoneBodies(tombstone: Omit<Tombstone, 'id'>): readonly Uint8Array[] {
  const bodies: Uint8Array[] = []
  let taken: DeletedDocument[] = []
  let bytes = 0
  const end = (): void => {
    if (taken.length > 0) bodies.push(encodeTombstone({ ...tombstone, documents: taken }))
    taken = []
    bytes = 0
  }
  for (const document of tombstone.documents) {
    const size = KNOWLEDGE_RECORD_BYTES * (document.known?.size ?? 0) + ENTRY_BYTES
    const fits = size <= MAX_TOMBSTONE_BYTES - ENTRY_BYTES
    if (bytes + (fits ? size : ENTRY_BYTES) > MAX_TOMBSTONE_BYTES - ENTRY_BYTES) end()
    taken.push(fits ? document : { ...document, known: undefined })
    bytes += fits ? size : ENTRY_BYTES
  }
  end()
  return bodies
}

export function decodeTombstone(name: string, body: Uint8Array): Result<Tombstone, string> {
  const id = name.slice(TOMBSTONE_PREFIX.length)
  if (!name.startsWith(TOMBSTONE_PREFIX) || !isHexId(id, RANDOM_ID_BYTES)) return failed('deletion: another name')
  const decoded = decodeCbor(BODY, body, MAX_TOMBSTONE_BYTES)
  if (!decoded.ok) return failed(`deletion: ${decoded.error.reason}`)
  const { at, session, documents } = decoded.value
  return ok({
    id,
    at,
    session: session && hexId<SessionId>(session),
    documents: documents.map(({ id: bytes, kind, known }) => ({
      documentId: documentIdOfBytes(bytes),
      kind: KINDS[kind] ?? 'document',
      known: known && unpackKnowledge(known),
    })),
  })
}

const KINDS: readonly DeletedKind[] = ['document', 'session', 'drafts', 'views', 'preferences']
const ENTRY_BYTES = 64

const BODY = v.object({
  v: v.literal(1),
  at: wholeNumber,
  session: v.exactOptional(bytesOf(RANDOM_ID_BYTES)),
  documents: v.array(
    v.object({
      id: bytesOf(RANDOM_ID_BYTES),
      kind: wholeNumber,
      known: v.exactOptional(
        v.pipe(
          bytesUpTo(MAX_TOMBSTONE_BYTES),
          v.check(bytes => bytes.length % KNOWLEDGE_RECORD_BYTES === 0, 'expected whole records'),
        ),
      ),
    }),
  ),
})
