/**
 * What can be looked back at, and taken back: checkpoints, what changed since, conflicts with a suggested way out, and
 * reverting. Nothing here rewrites history: a revert and a choice are new changes, so every device follows them.
 */
import type { DocumentId } from '@automerge/automerge-repo'
import type { DeviceId } from '../lib/ids.ts'
import type { DocumentPath, Kind } from '../session/contract.ts'

export type CheckpointReason = 'manual' | 'handoff' | 'before-merge' | 'before-revert'

export interface Checkpoint {
  readonly id: string
  readonly reason: CheckpointReason
  /** Milliseconds since 1970 on the device that took it. Information only; `number` orders them. */
  readonly time: number
  readonly number: number
  readonly by: DeviceId
  /** Hex heads of each document of the session then, all kinds. */
  readonly heads: Readonly<Record<DocumentId, readonly string[]>>
}

/** Counts only: nothing in it is content. */
export interface DocumentComparison {
  readonly documentId: DocumentId
  readonly kind: 'session' | Kind
  /** UTF-16 units of text. */
  readonly inserted: number
  readonly deleted: number
  /** Values set, removed, inserted or counted that are not text. */
  readonly changed: number
}

export type ConflictKind =
  /** Two devices gave one place in a map or list different values. */
  | 'value'
  /** Two devices edited the same stretch of a text, or stretches that touch. */
  | 'text'
  /** A document or draft was removed on one device and edited on the other. */
  | 'removed-and-edited'
  /** Two devices took over the session without knowing of each other. */
  | 'two-drivers'

export type Choice = 'ours' | 'theirs' | 'both' | { readonly text: string }

export interface ConflictSide {
  /** At most EXCERPT_CHARACTERS of what this side made of the place. Content: for the screen, never for a log. */
  readonly excerpt: string
  /** Undefined where no claim says who it was. */
  readonly author: DeviceId | undefined
  readonly did: 'wrote' | 'removed' | 'drove'
}

export interface Conflict {
  /** Made from what is in conflict, so it is the same on every device that holds the same changes. */
  readonly id: string
  readonly kind: ConflictKind
  readonly document: DocumentId
  readonly documentKind: 'session' | Kind
  readonly path: DocumentPath
  /** This device's side where that can be told, else the side that is shown now or sorts first. */
  readonly ours: ConflictSide
  readonly theirs: ConflictSide
  /** What stood there before both, where there was a before. */
  readonly base: string | undefined
  /** What every device shows there now. */
  readonly now: string
  readonly choices: readonly ('ours' | 'theirs' | 'both' | 'text')[]
  readonly suggested: 'ours' | 'theirs' | 'both'
  readonly because: 'nothing-is-lost' | 'same-on-both' | 'shown-everywhere-now' | 'drives-now'
}

export interface ConflictFilter {
  readonly kinds?: readonly Kind[]
  /** Only those with a side that this checkpoint does not contain. */
  readonly since?: string
  readonly signal?: AbortSignal
}

export interface RevertOutcome {
  /** What was there just before: reverting to it undoes the revert. */
  readonly before: Checkpoint
  /** Documents that were changed by it. */
  readonly changed: readonly DocumentId[]
}

export interface History {
  /** Durable when it resolves. */
  takeCheckpoint(reason: CheckpointReason, options?: { readonly signal?: AbortSignal }): Promise<Checkpoint>
  /** Newest first. */
  checkpoints(): readonly Checkpoint[]
  /** From a checkpoint to another, or to now. Throws CHECKPOINT_UNKNOWN. */
  compare(from: string, options?: { readonly to?: string; readonly signal?: AbortSignal }): Promise<readonly DocumentComparison[]>
  /** The text of one document at a checkpoint and now, for showing side by side. Undefined where there was none. */
  textsSince(
    checkpoint: string,
    document: DocumentId,
    path?: DocumentPath,
  ): Promise<{ readonly before: string | undefined; readonly now: string | undefined }>
  conflicts(filter?: ConflictFilter): Promise<readonly Conflict[]>
  /** Does what is suggested. Throws CONFLICT_UNKNOWN. */
  accept(conflict: string): Promise<void>
  /** Throws CONFLICT_UNKNOWN, and RangeError for a choice that this conflict does not offer. */
  choose(conflict: string, choice: Choice): Promise<void>
  /**
   * Brings the content of these kinds back to the checkpoint, as new changes. Default: documents, drafts, preferences.
   * Waits for content of the checkpoint that is not here yet. Throws CHECKPOINT_UNKNOWN.
   */
  revert(checkpoint: string, options?: { readonly kinds?: readonly Kind[]; readonly signal?: AbortSignal }): Promise<RevertOutcome>
}
