/**
 * An automerge-repo Repo whose documents come from chunks: same handles, same events, no network, no storage and no
 * synchroniser of its own. What it overrides, and why, is written beside each method.
 */
import * as A from '@automerge/automerge'
import { Repo, interpretAsDocumentId, isValidAutomergeUrl, parseAutomergeUrl } from '@automerge/automerge-repo'
import type { AnyDocumentId, DocHandle, DocumentId } from '@automerge/automerge-repo'

/** What the repo asks of the documents layer. */
export interface RepoHost {
  /** Resolves once the document's handle is ready. */
  open(documentId: DocumentId, options: { readonly signal?: AbortSignal | undefined }): Promise<DocHandle<unknown>>
  /** A handle made through the repo, with content: captured from now on. */
  adopt(handle: DocHandle<unknown>): void
  evict(documentId: DocumentId): Promise<void>
  flush(): Promise<void>
  newDocumentId(): DocumentId
  newActor(): string
}

type FindOptions = NonNullable<Parameters<Repo['find']>[1]>
type Progress<T> = ReturnType<Repo['findWithProgress']> & { readonly handle: DocHandle<T> }

export class SegueRepo extends Repo {
  readonly #host: RepoHost

  constructor(host: RepoHost) {
    super({})
    this.#host = host
    // No peers, so nothing to synchronise: spares every handle three listeners and a timer per change.
    this.synchronizer.addDocument = () => undefined
  }

  /** The cached handle, or a new one that waits for content. */
  handleFor<T>(documentId: DocumentId): DocHandle<T> {
    return (this.handles[documentId] as DocHandle<T> | undefined) ?? super.import<T>(new Uint8Array(), { docId: documentId })
  }

  /** `removeFromCache` asks for the document of handles that have none and throws; the cache itself is all there is to clear. */
  forget(documentId: DocumentId): void {
    delete this.handles[documentId]
  }

  /** Opens a small document that nobody has, in memory: most of what the first one takes is code of Automerge's that is compiled when first used. */
  warmUp(): void {
    const made = A.change(A.init<{ text: string; list: number[] }>(), doc => {
      doc.text = 'a text'
      doc.list = [1, 2]
    })
    const documentId = this.#host.newDocumentId()
    const handle = this.handleFor(documentId)
    handle.update(doc => A.applyChanges(doc, A.getAllChanges(made))[0])
    handle.unload()
    this.forget(documentId)
  }

  /** Taken part in by Segue at once. Without a value the base class makes an empty change, which no change of ours may continue. */
  override create<T>(initialValue?: T): DocHandle<T> {
    const handle = super.create<T>(initialValue)
    if (Object.keys(initialValue ?? {}).length === 0) handle.update(doc => A.clone(doc, { actor: this.#host.newActor() }))
    this.#host.adopt(handle)
    return handle
  }

  override async create2<T>(initialValue?: T): Promise<DocHandle<T>> {
    return this.create(initialValue)
  }

  /** The base class replaces the content of a fresh document here, which would leave a stray change behind. */
  override import<T>(binary: Uint8Array, args?: { docId?: DocumentId }): DocHandle<T> {
    const handle = super.import<T>(binary, { docId: args?.docId ?? this.#host.newDocumentId() })
    this.#host.adopt(handle)
    return handle
  }

  override clone<T>(clonedHandle: DocHandle<T>): DocHandle<T> {
    return this.import(A.save(clonedHandle.doc()))
  }

  /** Opens closed documents; pending for those on their way, until the signal aborts. */
  override async find<T>(id: AnyDocumentId, options: FindOptions = {}): Promise<DocHandle<T>> {
    const { documentId, heads } = parse(id)
    const present = this.handles[documentId]
    if (present !== undefined && options.allowableStates?.includes(present.state)) return present
    const handle = (await this.#host.open(documentId, { signal: options.signal })) as DocHandle<T>
    return heads === undefined ? handle : handle.view(heads)
  }

  override async findClassic<T>(id: AnyDocumentId, options: FindOptions = {}): Promise<DocHandle<T>> {
    return this.find(id, options)
  }

  override findWithProgress<T>(id: AnyDocumentId, options: { signal?: AbortSignal } = {}): Progress<T> {
    const { documentId, heads } = parse(id)
    const handle = this.handleFor<T>(documentId)
    if (handle.isReady()) return { state: 'ready', handle: heads === undefined ? handle : handle.view(heads) }
    const listeners = new Set<(progress: Progress<T>) => void>()
    let progress = { state: 'loading', progress: 0, handle } as Progress<T>
    const notify = (next: Progress<T>): void => {
      progress = next
      for (const listener of listeners) listener(next)
    }
    const opened = this.find<T>(id, options)
    opened.then(
      ready => notify({ state: 'ready', handle: ready }),
      (error: unknown) => notify({ state: 'failed', error: error instanceof Error ? error : new Error(String(error)), handle }),
    )
    return {
      ...progress,
      peek: () => progress,
      subscribe(listener: (progress: Progress<T>) => void) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
      untilReady: () => opened,
    }
  }

  /** The base class forgets the document here only, and it would come back with the next chunk. */
  override delete(_id: AnyDocumentId): void {
    throw new Error('repo.delete is not for Segue documents: take the document out of its session')
  }

  override async removeFromCache(documentId: DocumentId): Promise<void> {
    await this.#host.evict(documentId)
  }

  override async flush(): Promise<void> {
    await this.#host.flush()
  }
}

function parse(id: AnyDocumentId): Pick<ReturnType<typeof parseAutomergeUrl>, 'documentId' | 'heads'> {
  return isValidAutomergeUrl(id) ? parseAutomergeUrl(id) : { documentId: interpretAsDocumentId(id) }
}
