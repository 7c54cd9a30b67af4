/**
 * The chunk store port in memory, for tests and simulations: same promises as the one on disk, plus the failures that a disk
 * has (writes that fail, a power cut in the middle of a write, a damaged value), made to happen on request.
 */
import { SegueError } from '../lib/errors.ts'
import type { ChunkId, DocTag } from '../lib/ids.ts'
import type { ChunkBatch, ChunkRecord, ChunkStore, StoredChunk } from '../ports/chunk-store.ts'

export interface MemoryChunkStore extends ChunkStore {
  /** From now on every `apply` rejects with `reason`, until called with `undefined`. Calls already held are judged when let go. */
  failWrites(reason: Error | undefined): void
  /** From now on `apply` waits, not durable and not visible, until the returned function is called. */
  holdWrites(): () => void
  /**
   * The power goes: what had not resolved is gone and never resolves, this store is of no use any more. Returns the store as it
   * is found afterwards.
   */
  crash(): MemoryChunkStore
  /** What is durable now, on a disk of its own. */
  copy(): MemoryChunkStore
  /** The value of `id` rots: read as absent and reported to `onDamaged`. */
  damage(id: ChunkId): void
}

export interface MemoryChunkStoreOptions {
  readonly onDamaged?: (key: string) => void
}

export function createMemoryChunkStore(options: MemoryChunkStoreOptions = {}): MemoryChunkStore {
  return openMemory({ chunks: new Map(), documents: new Map(), order: [], records: new Map(), bytes: 0 }, options)
}

/** What would be on disk. */
interface Contents {
  readonly chunks: Map<ChunkId, StoredChunk>
  /** In order of arrival: a replaced id is deleted and set again. */
  readonly documents: Map<DocTag, Map<ChunkId, StoredChunk>>
  /** At `arrival - 1` the chunk that arrived so; a hole once it is replaced or removed. */
  readonly order: (ChunkId | undefined)[]
  readonly records: Map<string, Uint8Array>
  bytes: number
}

function openMemory(contents: Contents, options: MemoryChunkStoreOptions): MemoryChunkStore {
  const damaged = new Set<ChunkId>()
  let failure: Error | undefined
  let held: Promise<void> | undefined
  let isClosed = false
  let hasCrashed = false
  let lastWrite: Promise<unknown> = Promise.resolve()

  const assertOpen = (): void => {
    if (isClosed || hasCrashed) throw new SegueError('CLOSED')
  }
  const read = (id: ChunkId): StoredChunk | undefined => {
    assertOpen()
    const stored = contents.chunks.get(id)
    if (!damaged.has(id)) return stored?.isEmptied === true ? undefined : stored
    options.onDamaged?.(id)
    return undefined
  }
  const head = (id: ChunkId): ChunkRecord | undefined => {
    const chunk = damaged.has(id) ? read(id) : contents.chunks.get(id)
    assertOpen()
    return chunk && recordOf(chunk)
  }
  const write = async (batch: ChunkBatch, before: Promise<unknown>): Promise<void> => {
    await before.catch(() => undefined) // its own caller hears of it
    for (let gate = held; gate !== undefined; gate = held) await gate
    if (hasCrashed) return new Promise(() => undefined)
    if (failure !== undefined) throw failure
    for (const chunk of batch.put ?? []) damaged.delete(chunk.id)
    applyTo(contents, batch)
  }

  return {
    async apply(batch) {
      assertOpen()
      lastWrite = write(copyOf(batch), lastWrite)
      await lastWrite
    },
    async get(id) {
      const chunk = read(id)
      return chunk && { ...chunk, bytes: chunk.bytes.slice() }
    },
    async getMany(ids) {
      return ids.flatMap(id => {
        const chunk = read(id)
        return chunk === undefined ? [] : [{ ...chunk, bytes: chunk.bytes.slice() }]
      })
    },
    head: async id => head(id),
    heads: async ids => ids.map(head),
    async listDocument(docTag) {
      assertOpen()
      return [...(contents.documents.get(docTag)?.values() ?? [])].map(recordOf)
    },
    async *document(docTag, after = 0) {
      assertOpen()
      for (const chunk of [...(contents.documents.get(docTag)?.values() ?? [])]) if (chunk.arrival > after) yield recordOf(chunk)
    },
    async *docTags({ from, limit = Infinity } = {}) {
      assertOpen()
      const tags = [...contents.documents.keys()].filter(tag => from === undefined || tag >= from).sort()
      yield* tags.slice(0, limit)
    },
    async *since(arrival, { limit = Infinity } = {}) {
      assertOpen()
      const end = contents.order.length
      let given = 0
      for (let i = Math.max(0, arrival); i < end && given < limit; i++) {
        const id = contents.order[i]
        const chunk = id === undefined ? undefined : contents.chunks.get(id)
        if (chunk === undefined) continue
        given++
        yield recordOf(chunk)
      }
    },
    lastArrival: () => contents.order.length,
    async getRecord(key) {
      assertOpen()
      return contents.records.get(key)?.slice()
    },
    async *listRecords(prefix) {
      assertOpen()
      const found = [...contents.records].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1))
      for (const [key, value] of found) yield [key, value.slice()]
    },
    size: () => ({ chunks: contents.chunks.size, bytes: contents.bytes }),
    async close() {
      isClosed = true
      if (!hasCrashed) await lastWrite.catch(() => undefined) // its own caller hears of it
    },
    failWrites(reason) {
      failure = reason
    },
    holdWrites() {
      let release = (): void => undefined
      const gate = new Promise<void>(resolve => {
        release = () => {
          if (held === gate) held = undefined
          resolve()
        }
      })
      held = gate
      return () => release()
    },
    crash() {
      hasCrashed = true
      return openMemory(copyOfContents(contents), options)
    },
    copy: () => openMemory(copyOfContents(contents), options),
    damage(id) {
      damaged.add(id)
    },
  }
}

/** Removals first, then puts (the last of one id wins), then flags, then records. */
function applyTo(contents: Contents, batch: ChunkBatch): void {
  for (const id of batch.remove ?? []) removeFrom(contents, id)
  const puts = new Map((batch.put ?? []).map(chunk => [chunk.id, chunk]))
  for (const chunk of puts.values()) {
    removeFrom(contents, chunk.id)
    const stored: StoredChunk = { ...chunk, arrival: contents.order.length + 1, byteLength: chunk.bytes.length }
    contents.order.push(stored.id)
    contents.bytes += stored.byteLength
    set(contents, stored)
  }
  for (const { id, live } of batch.setLive ?? []) {
    const chunk = contents.chunks.get(id)
    if (chunk !== undefined) set(contents, { ...chunk, live })
  }
  for (const id of batch.empty ?? []) {
    const chunk = contents.chunks.get(id)
    if (chunk === undefined) continue
    contents.bytes -= chunk.byteLength
    set(contents, { ...chunk, bytes: new Uint8Array(), byteLength: 0, isEmptied: true })
  }
  for (const [key, value] of batch.records ?? []) {
    if (value === undefined) contents.records.delete(key)
    else contents.records.set(key, value)
  }
}

function set(contents: Contents, chunk: StoredChunk): void {
  contents.chunks.set(chunk.id, chunk)
  const document = contents.documents.get(chunk.docTag) ?? new Map<ChunkId, StoredChunk>()
  document.set(chunk.id, chunk)
  contents.documents.set(chunk.docTag, document)
}

function removeFrom(contents: Contents, id: ChunkId): void {
  const chunk = contents.chunks.get(id)
  if (chunk === undefined) return
  contents.chunks.delete(id)
  contents.order[chunk.arrival - 1] = undefined
  contents.bytes -= chunk.byteLength
  const document = contents.documents.get(chunk.docTag)
  document?.delete(id)
  if (document?.size === 0) contents.documents.delete(chunk.docTag)
}

/** The caller may reuse its arrays as soon as `apply` has returned its promise. */
function copyOf(batch: ChunkBatch): ChunkBatch {
  return {
    put: (batch.put ?? []).map(chunk => ({ ...chunk, bytes: new Uint8Array(chunk.bytes) })),
    remove: [...(batch.remove ?? [])],
    setLive: [...(batch.setLive ?? [])],
    empty: [...(batch.empty ?? [])],
    records: new Map([...(batch.records ?? [])].map(([key, value]) => [key, value && new Uint8Array(value)])),
  }
}

function copyOfContents(contents: Contents): Contents {
  return {
    chunks: new Map(contents.chunks),
    documents: new Map([...contents.documents].map(([tag, chunks]) => [tag, new Map(chunks)])),
    order: [...contents.order],
    records: new Map(contents.records),
    bytes: contents.bytes,
  }
}

function recordOf({ class: kind, epoch, docTag, id, sequence, live, arrival, byteLength, isEmptied }: StoredChunk): ChunkRecord {
  return { class: kind, epoch, docTag, id, sequence, live, arrival, byteLength, ...(isEmptied === true ? { isEmptied } : {}) }
}
