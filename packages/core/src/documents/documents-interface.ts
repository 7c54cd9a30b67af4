/**
 * What the rest of Segue may ask of the Automerge layer. Documents lie sealed in the chunk store; one is in memory only while
 * somebody works on it. Heads are Automerge's hex hashes everywhere (not the base58 form of DocHandle.heads()).
 */
import type { DocHandle, DocumentId, Repo } from '@automerge/automerge-repo'
import type { Closeable } from '../lib/closeables.ts'
import type { DeviceId, DocTag } from '../lib/ids.ts'
import type { Observable } from '../lib/observable.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { AnyDoc } from './any-doc.ts'
import type { LateEdits } from './late/contract.ts'

/**
 * closed: not in memory. opening: being read from the store. arriving: nothing to show yet, waiting for chunks.
 * open: its handle is ready.
 */
export type DocumentState = 'closed' | 'opening' | 'arriving' | 'open'

export interface Documents extends Closeable {
  /**
   * A real automerge-repo Repo, without network or storage of its own. `find` opens closed documents from chunks and stays pending
   * (until its signal aborts) for those on their way. `create`, `import` and `clone` take part as well: what they make is
   * captured at once. `delete` throws: a document leaves with its session. After 60 s without content the *handle* calls itself
   * unavailable (automerge-repo's rule); it becomes ready all the same when content arrives, and `find` goes on waiting.
   */
  readonly repo: Repo
  /**
   * A new document, captured before this resolves (durable after `flush`). `init` is a change function, the pinned bytes of a
   * genesis change, which are only ever loaded, or a whole saved document. With a `documentId` that exists already, the genesis is added to what is there:
   * loading the same genesis on every device gives one document.
   */
  create<T>(init: Genesis<T>, options?: { readonly documentId?: DocumentId; readonly signal?: AbortSignal }): Promise<DocHandle<T>>
  /** As `repo.find`. Rejects with the signal's reason, or with CLOSED. */
  open<T>(documentId: DocumentId, options?: { readonly signal?: AbortSignal | undefined }): Promise<DocHandle<T>>
  /** What the first document of a process costs more than the next ones, paid now: 40 to 60 ms. Leaves nothing behind. */
  warmUp(): void
  /**
   * Keeps a document open until the returned function is called, which is idempotent. Without it, and without a listener on its
   * handle, a document left alone for a minute is closed once more than 256 are open, and its handle is of no use then.
   */
  retain(documentId: DocumentId): () => void
  /** What is here of a document, empty where nothing is. Waits for nothing but the store. Leaves a closed document closed. Not to be changed. */
  held(documentId: DocumentId): Promise<AnyDoc>
  /** The same when every change made here so far is on the disk. */
  read(documentId: DocumentId): Promise<AnyDoc>
  /**
   * The document was deleted (`isDeleted` says so by now): nothing of it is written any more, whoever waits for it hears
   * DOCUMENT_DELETED, and its handle emits `delete` and is deleted. Retained ones too. Unless its heads are others than `heads`: then it
   * was changed since they were looked at, nothing happens, and the answer is false.
   */
  forget(documentId: DocumentId, heads: readonly string[]): boolean
  isDeleted(documentId: DocumentId): boolean
  /** Deleted, or not kept on this device: it is not opened, and what looks through a session passes it over. */
  isAbsent(documentId: DocumentId): boolean
  /** Frees the memory of an open document once its changes are durable; its handle is of no use then. Not of a retained one. */
  evict(documentId: DocumentId): Promise<void>
  /**
   * Replaces the text at `path` (map keys from the root; the last one is created when absent), 64 KiB a change. Throws
   * DOCUMENT_TOO_LARGE over 1 MiB of UTF-8 and DOCUMENT_NOT_TEXT for text with lone surrogates; then nothing was changed.
   */
  importText(handle: DocHandle<unknown>, path: readonly string[], text: string): Promise<void>
  /** Sorted hex heads of what is held here, open or closed; empty when nothing is. Leaves a closed document closed. */
  headsOf(documentId: DocumentId): Promise<readonly string[]>
  /**
   * Resolves when the document is open, contains `heads` with all their history, and that is durable here. Rejects with the
   * signal's reason.
   */
  whenContains(documentId: DocumentId, heads: readonly string[], options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  /** The device behind each actor of an open document, where a claim says so. */
  authors(documentId: DocumentId): Promise<ReadonlyMap<string, DeviceId>>
  docTagOf(documentId: DocumentId): DocTag
  /** Every local change made before the call is captured and durable (of one document, or of all). */
  flush(documentId?: DocumentId): Promise<void>
  state(documentId: DocumentId): Observable<DocumentState>
  /** Bundles the history that is not bundled yet (in the worker) and hands the fragments to replication. Returns how many. */
  compact(documentId: DocumentId): Promise<number>
  /** What removed devices may have written, for review; undefined where documents were made without `late`. */
  readonly late: LateEdits | undefined
  /** For the inspector: what has to be done before a fragment is stored that a removed device may have made. */
  beforeFragment(chunk: Pick<SealedChunk, 'epoch' | 'docTag'>, documentId: Uint8Array): Promise<void> | undefined
  /** Call when the keyring learnt a new epoch: chunks that could not be read are tried again. */
  onKeysChanged(): void
}

export type Genesis<T> = ((draft: T) => void) | Uint8Array
