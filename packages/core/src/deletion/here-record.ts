/**
 * What is not kept here, as this device remembers it: one record, sealed like all of its own. It is nobody else's business; peers hear the
 * docTags alone, which they have anyway.
 *
 *     not-here/<group> = CBOR {v: 1, entries: [{session | document: id 16, title, at, state, documents: [id 16]}],
 *                              left: [{id 16, heads: [32], known}]}
 */
import type { DocumentId } from '@automerge/automerge-repo'
import * as v from 'valibot'
import { bytesOf, bytesUpTo, decodeCbor, encodeCbor, wholeNumber } from '../lib/codec.ts'
import { fromHex, toHex } from '../lib/bytes.ts'
import { hexId, idBytes, RANDOM_ID_BYTES, type SessionId } from '../lib/ids.ts'
import { documentIdToBinary } from '@automerge/automerge-repo'
import { documentIdOfBytes } from '../session/session-ids.ts'
import { KNOWLEDGE_RECORD_BYTES, packKnowledge, unpackKnowledge, type Knowledge } from './versions.ts'

/** leaving: asked for, and not known yet whether it went. gone: not kept here. back: kept here again, and on its way. */
export interface HereEntry {
  readonly session: SessionId | undefined
  readonly document: DocumentId | undefined
  readonly title: string
  readonly at: number
  readonly state: 'leaving' | 'gone' | 'back'
  /** Of a session: its drafts, views, preferences and documents, as they were seen last. */
  readonly documents: readonly DocumentId[]
}

/** What was here of a document when it went. */
export interface LeftDocument {
  readonly heads: readonly string[]
  readonly known: Knowledge
}

export interface HereRecord {
  readonly entries: readonly HereEntry[]
  readonly left: ReadonlyMap<DocumentId, LeftDocument>
}

export function encodeHere({ entries, left }: HereRecord): Uint8Array {
  return encodeCbor({
    v: 1,
    entries: entries.map(({ session, document, documents, ...entry }) => ({
      ...entry,
      ...(session === undefined ? {} : { session: idBytes(session) }),
      ...(document === undefined ? {} : { document: documentIdToBinary(document) }),
      documents: documents.map(documentIdToBinary),
    })),
    left: [...left].map(([id, { heads, known }]) => ({
      id: documentIdToBinary(id),
      heads: heads.map(fromHex),
      known: packKnowledge(known),
    })),
  })
}

/** Undefined for what is not such a record: then everything is kept here, and fetched again. */
export function decodeHere(bytes: Uint8Array): HereRecord | undefined {
  const decoded = decodeCbor(SHAPE, bytes, MAX_RECORD_BYTES)
  if (!decoded.ok) return undefined
  const entries = decoded.value.entries.map(({ session, document, documents, ...entry }) => ({
    ...entry,
    session: session && hexId<SessionId>(session),
    document: document && documentIdOfBytes(document),
    documents: documents.map(documentIdOfBytes),
  }))
  const left = decoded.value.left.map(
    ({ id, heads, known }) => [documentIdOfBytes(id), { heads: heads.map(toHex), known: unpackKnowledge(known) }] as const,
  )
  return { entries, left: new Map(left) }
}

const MAX_RECORD_BYTES: number = 64 * 1_024 * 1_024
const ID = bytesOf(RANDOM_ID_BYTES)
const SHAPE = v.strictObject({
  v: v.literal(1),
  entries: v.array(
    v.strictObject({
      session: v.exactOptional(ID),
      document: v.exactOptional(ID),
      title: v.string(),
      at: wholeNumber,
      state: v.picklist(['leaving', 'gone', 'back']),
      documents: v.array(ID),
    }),
  ),
  left: v.array(
    v.strictObject({
      id: ID,
      heads: v.array(bytesOf(32)),
      known: v.pipe(
        bytesUpTo(MAX_RECORD_BYTES),
        v.check(bytes => bytes.length % KNOWLEDGE_RECORD_BYTES === 0, 'expected whole records'),
      ),
    }),
  ),
})
