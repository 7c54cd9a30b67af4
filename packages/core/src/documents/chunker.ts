/**
 * Local changes into sealed chunks, one Automerge change a chunk. What is new is found by heads (`getChangesSince`), so merged
 * changes are not lost, as they would be with `getLastLocalChange`.
 */
import * as A from '@automerge/automerge'
import { SegueError } from '../lib/errors.ts'
import type { ChunkId } from '../lib/ids.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Logger } from '../ports/logger.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { readCommit, type CommitFacts } from './commit.ts'
import { commitContentKey } from './content-keys.ts'
import type { Sealer } from './sealer.ts'
import type { AnyDoc } from './any-doc.ts'

export interface Chunker {
  /** `heads` came out of chunks: there is nothing in them to capture. */
  passOver(heads: readonly string[]): void
  /** Seals and hands on what `doc` has beyond what was captured or passed over. Synchronous; durable after `flush`. */
  capture(doc: AnyDoc): void
  /**
   * Everything captured so far is durable. Rejects with DOCUMENT_TOO_LARGE once a single change was too large to be a chunk:
   * it stays on this device only, and what builds on it waits on the others.
   */
  flush(): Promise<void>
}

export interface ChunkerComponents {
  readonly documentId: Uint8Array
  readonly sealer: Sealer
  /** Resolves when durable; rejects only when closed. */
  readonly add: (chunks: readonly SealedChunk[]) => Promise<void>
  /** Hears of every captured change, in order; `actor` is the document's own. */
  readonly onCaptured: (commit: CommitFacts, id: ChunkId, actor: string) => void
  readonly logger: Logger
  readonly hasher?: Hasher | undefined
}

export function createChunker(components: ChunkerComponents): Chunker {
  const { documentId, sealer, add, onCaptured, logger, hasher } = components
  const pending = new Set<Promise<void>>()
  let capturedHeads: readonly string[] = []
  let failure: SegueError | undefined

  const sealChange = (bytes: Uint8Array, actor: string): SealedChunk | undefined => {
    const commit = readCommit(bytes, { maxInflatedBytes: Number.MAX_SAFE_INTEGER, ...(hasher === undefined ? {} : { hasher }) })
    if (!commit.ok) throw new Error(`broken promise: Automerge made an unreadable change: ${commit.error}`)
    try {
      const chunk = sealer.seal({ class: 'commit', documentId, contentKey: commitContentKey(commit.value.hash), content: bytes })
      onCaptured(commit.value, chunk.id, actor)
      return chunk
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      failure = new SegueError('DOCUMENT_TOO_LARGE', { size: bytes.length }, { cause: error })
      logger.error('change-too-large', { bytes: bytes.length })
      return undefined
    }
  }

  return {
    passOver(heads) {
      capturedHeads = heads
    },
    capture(doc) {
      const heads = A.getHeads(doc)
      if (isSameHeads(heads, capturedHeads)) return
      const actor = A.getActorId(doc)
      const chunks = A.getChangesSince(doc, [...capturedHeads])
        .map(bytes => sealChange(bytes, actor))
        .filter(chunk => chunk !== undefined)
      capturedHeads = heads
      if (chunks.length === 0) return
      const added = add(chunks)
      pending.add(added)
      const settle = (): void => {
        pending.delete(added)
      }
      added.then(settle, (error: unknown) => {
        settle()
        logger.warn('capture-not-durable', { reason: String(error) })
      })
    },
    async flush() {
      while (pending.size > 0) await Promise.all(pending)
      if (failure !== undefined) throw failure
    },
  }
}

export function isSameHeads(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((head, i) => head === b[i])
}
