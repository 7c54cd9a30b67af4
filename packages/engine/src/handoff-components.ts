/** Adapts sessions, documents, history and replication to what a handoff needs of them (core's handoff/collaborators.ts). */
import {
  CLAIM_KINDS,
  decodeHotSet,
  documentIdOf,
  documentIdOfBytes,
  encodeHotSet,
  readClaims,
  sessionIdOf,
  SCHEMA_VERSION,
  SECOND_MS,
  SESSION_KINDS,
  type ClaimKind,
  type DeviceId,
  type Documents,
  type DocTag,
  type Group,
  type Heartbeats,
  type HandoffComponents,
  type LocalDeletions,
  type Replica,
  type SessionDoc,
  type SessionId,
} from '@segue/core'
import type { ChunkStore, DeviceLink } from '@segue/core/ports'
import * as Automerge from '@automerge/automerge'
import { documentIdToBinary, type DocumentId } from '@automerge/automerge-repo'
import { createClaimEvidence } from './claim-evidence.ts'
import type { SessionFaces } from './session-face.ts'

export interface HandoffComponentParts {
  readonly group: Group
  readonly replica: Replica
  readonly documents: Documents
  readonly chunks: ChunkStore
  readonly faces: SessionFaces
  readonly heartbeats: Pick<Heartbeats, 'looks' | 'isCoveredBy'>
  readonly local: Pick<LocalDeletions, 'lacks' | 'isNotHere' | 'keepAgain'>
  readonly linkTo: (device: DeviceId) => DeviceLink | undefined
}

type Adapted = Pick<HandoffComponents, 'sessions' | 'content' | 'leases' | 'devices'>

export function createHandoffComponents(parts: HandoffComponentParts): Adapted {
  const { group, replica, documents, chunks, faces, heartbeats, local, linkTo } = parts
  const tagOf = (documentId: Uint8Array): DocTag => documents.docTagOf(documentIdOfBytes(documentId))

  const sealedBytesOf = async (documentId: DocumentId): Promise<number> => {
    const held = await chunks.listDocument(documents.docTagOf(documentId))
    return held.reduce((sum, chunk) => sum + (chunk.live ? chunk.byteLength : 0), 0)
  }
  const isHere = async (session: SessionId): Promise<boolean> =>
    !local.lacks(session) && (await documents.headsOf(documentIdOf(session))).length > 0
  /** Somebody hands it over to this device, and that was accepted: what was deleted here comes back. */
  const bringBack = async (documentId: DocumentId): Promise<void> => {
    const session = sessionIdOf(documentId)
    if (local.lacks(session)) await local.keepAgain([{ session }])
  }

  let back: Promise<void> = Promise.resolve()
  const evidence = createClaimEvidence(replica, heartbeats, session => documents.docTagOf(documentIdOf(session)))

  return {
    sessions: {
      schemaVersion: SCHEMA_VERSION,
      has: isHere, // being listed in the index is not enough: its documents may be with devices that are away
      async manifest(session, kinds) {
        const face = await faces.open(session)
        const { schemaVersion, documents: named } = await face.manifest(kinds)
        return {
          schemaVersion,
          documents: await Promise.all(
            named.map(async document => ({
              documentId: documentIdToBinary(document.documentId) as Uint8Array,
              kind: document.kind,
              heads: document.heads,
              bytes: await sealedBytesOf(document.documentId),
            })),
          ),
        }
      },
      async changedAt(session) {
        const { documents: named } = await (await faces.open(session)).manifest(SESSION_KINDS)
        const times = await Promise.all(named.map(async ({ documentId }) => newestChangeAt((await documents.open(documentId)).doc())))
        const newest = Math.max(0, ...times)
        return newest === 0 ? undefined : newest // the first change of a document made here carries no time
      },
      flush: async session => (await faces.open(session)).flush(),
      async takeCheckpoint(session) {
        if (!(await isHere(session))) return undefined
        return (await (await faces.open(session)).history.takeCheckpoint('handoff')).id
      },
      async rollback(session, checkpoint) {
        await (await faces.open(session)).history.revert(checkpoint)
      },
      conflictsSince: async (session, checkpoint) => (await (await faces.open(session)).history.conflicts({ since: checkpoint })).length,
      hotSet: async session => encodeHotSet(await (await faces.open(session)).hotSet()),
      showArriving(session, arriving) {
        const hotSet = arriving === undefined ? undefined : decodeHotSet(arriving.hotSet)
        faces
          .arriving(session)
          .set(arriving !== undefined && hotSet?.ok === true ? { from: arriving.from, hotSet: hotSet.value } : undefined)
      },
      async restore(session, kinds, { signal }) {
        const face = await faces.open(session, { signal })
        if (kinds.includes('views')) await face.views.adopt()
        await face.flush()
      },
    },
    content: {
      want(wanted) {
        const docTags = wanted.map(tagOf)
        const [session] = wanted // a manifest begins with the session document
        if (session !== undefined) back = bringBack(documentIdOfBytes(session))
        back.catch(() => undefined) // heard by whoever waits for a document of it
        replica.want(docTags)
        return () => replica.unwant(docTags)
      },
      async whenContains(documentId, heads, options) {
        await back
        return documents.whenContains(documentIdOfBytes(documentId), heads, options)
      },
      watchArrival(watched, onBytes) {
        const docTags = new Set(watched.map(tagOf))
        let bytes = 0
        return replica.subscribe({
          onArrived(arrived) {
            const before = bytes
            for (const chunk of arrived) if (docTags.has(chunk.docTag)) bytes += chunk.bytes.length
            if (bytes !== before) onBytes(bytes)
          },
        })
      },
    },
    leases: {
      async read(session) {
        // What is here of the session document alone: it, and its companions, may be on their way for long.
        const doc = await documents.held(documentIdOf(session))
        if (Automerge.getHeads(doc).length === 0) return []
        return readClaims(doc as unknown as SessionDoc).flatMap(claim => (isClaimKind(claim.kind) ? [{ ...claim, kind: claim.kind }] : []))
      },
      async write(session, claim) {
        const face = await faces.open(session)
        face.writeClaim(claim)
        await face.flush()
      },
      hasHeard: evidence.hasHeard,
    },
    devices: { link: linkTo, isActive: device => group.isActive(device) },
  }
}

/** Automerge keeps whole seconds. */
function newestChangeAt(doc: Automerge.Doc<unknown>): number {
  return Math.max(0, ...Automerge.getHeads(doc).map(hash => Automerge.inspectChange(doc, hash)?.time ?? 0)) * SECOND_MS
}

function isClaimKind(kind: string): kind is ClaimKind {
  return (CLAIM_KINDS as readonly string[]).includes(kind)
}
