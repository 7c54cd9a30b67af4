/** A session's id and its session document's id are the same 16 bytes: hex for Segue, base58check for automerge-repo. */
import { documentIdToBinary, interpretAsDocumentId, type BinaryDocumentId, type DocumentId } from '@automerge/automerge-repo'
import { SegueError } from '../lib/errors.ts'
import { hexId, idBytes, isHexId, RANDOM_ID_BYTES, type SessionId } from '../lib/ids.ts'

export function documentIdOf(session: SessionId): DocumentId {
  if (!isHexId(session, RANDOM_ID_BYTES)) throw new SegueError('SESSION_UNKNOWN')
  return documentIdOfBytes(idBytes(session))
}

export function documentIdOfBytes(bytes: Uint8Array): DocumentId {
  return interpretAsDocumentId(bytes as BinaryDocumentId)
}

export function sessionIdOf(documentId: DocumentId): SessionId {
  const bytes = documentIdToBinary(documentId)
  if (bytes === undefined) throw new SegueError('SESSION_UNKNOWN')
  return hexId<SessionId>(bytes)
}
