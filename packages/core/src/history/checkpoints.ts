/** Checkpoints: names for a state of the whole session, kept in the session document so that every device can go back to them. */
import type { DocHandle, DocumentId } from '@automerge/automerge-repo'
import { toHex } from '../lib/bytes.ts'
import { SegueError } from '../lib/errors.ts'
import { RANDOM_ID_BYTES, type DeviceId } from '../lib/ids.ts'
import type { ManifestDocument } from '../session/contract.ts'
import type { CheckpointRecord, SessionDoc } from '../session/schema/shapes.ts'
import { packHeads, unpackHeads, word } from '../session/schema/words.ts'
import type { HistoryComponents } from './history.ts'
import type { Checkpoint, CheckpointReason } from './contract.ts'

/** The oldest go first. A checkpoint is one value per document. */
export const MAX_CHECKPOINTS = 64

/** Newest first: by number, a tie by id. */
export function readCheckpoints(doc: SessionDoc): readonly Checkpoint[] {
  return Object.entries(doc.history.checkpoints)
    .sort(([a, x], [b, y]) => y.number - x.number || (a < b ? 1 : -1))
    .map(([id, record]) => checkpointOf(id, record))
}

export function findCheckpoint(doc: SessionDoc, id: string): Checkpoint {
  const record = Object.hasOwn(doc.history.checkpoints, id) ? doc.history.checkpoints[id] : undefined
  if (record === undefined) throw new SegueError('CHECKPOINT_UNKNOWN')
  return checkpointOf(id, record)
}

export function writeCheckpoint(
  handle: DocHandle<SessionDoc>,
  reason: CheckpointReason,
  documents: readonly ManifestDocument[],
  { identity, clock, random }: HistoryComponents,
): Checkpoint {
  const id = toHex(random.bytes(RANDOM_ID_BYTES))
  handle.change(doc => {
    const present = readCheckpoints(doc)
    doc.history.checkpoints[id] = {
      number: 1 + (present[0]?.number ?? 0),
      time: clock.now(),
      by: word(identity.id),
      reason: word(reason),
      heads: Object.fromEntries(documents.map(document => [document.documentId, packHeads(document.heads)])),
    }
    for (const old of present.slice(MAX_CHECKPOINTS - 1)) delete doc.history.checkpoints[old.id]
  })
  return findCheckpoint(handle.doc(), id)
}

function checkpointOf(id: string, record: CheckpointRecord): Checkpoint {
  return {
    id,
    reason: record.reason.val as CheckpointReason,
    time: record.time,
    number: record.number,
    by: record.by.val as DeviceId,
    heads: Object.fromEntries(Object.entries(record.heads).map(([documentId, heads]) => [documentId as DocumentId, unpackHeads(heads)])),
  }
}
