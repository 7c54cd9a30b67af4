/** Answering what a peer wants: chunks packed into frames of about FRAME_FILL_BYTES, large ones in parts, and what is not here refused by name. */
import { idBytes, type ChunkId, type DocTag } from '../lib/ids.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { PART_BYTES } from '../wire/limits.ts'
import type { RefusalReason, SyncMessage } from '../wire/sync-messages.ts'
import { FRAME_FILL_BYTES } from './pace.ts'
import { cutUp } from './parts.ts'
import type { Session } from './session-host.ts'
import { packIds } from './sync-records.ts'

export interface Serving {
  serve(ids: readonly ChunkId[]): Promise<void>
  giveSnapshot(docTag: DocTag): Promise<void>
}

export interface ServingParts {
  readonly store: ChunkStore
  readonly isOpen: () => boolean
  readonly isInScope: Session['isInScope']
  /** On the bulk channel; resolves when it took the frame. */
  readonly send: (message: SyncMessage) => Promise<void>
}

export function createServing({ store, isOpen, isInScope, send }: ServingParts): Serving {
  const serve = async (ids: readonly ChunkId[]): Promise<void> => {
    const frame = createFrame()
    let group = 8
    for (let at = 0; at < ids.length && isOpen();) {
      const asked = ids.slice(at, at + group)
      at += group
      const found = await store.getMany(asked)
      const held = new Set(found.map(chunk => chunk.id))
      for (const chunk of found) if (isInScope(chunk)) await frame.add(chunk)
      await refuse(
        asked.filter(id => !held.has(id)),
        'absent',
      )
      await refuse(
        found.filter(chunk => !isInScope(chunk)).map(chunk => chunk.id),
        'out-of-scope',
      )
      const bytes = found.reduce((sum, chunk) => sum + chunk.byteLength, 0)
      group = Math.max(1, Math.min(2_048, Math.floor((group * FRAME_FILL_BYTES) / Math.max(bytes, 1))))
    }
    await frame.send()
  }
  const refuse = async (ids: readonly ChunkId[], why: RefusalReason): Promise<void> => {
    if (ids.length > 0) await send({ type: 'refused', ids: packIds(ids), why })
  }
  /** Filled before it goes: of a few in each of two frames the second would wait there until the first is checked. */
  const createFrame = (): { add(chunk: SealedChunk): Promise<void>; send(): Promise<void> } => {
    let frame: Uint8Array[] = []
    let filled = 0
    const sendFrame = async (): Promise<void> => {
      const chunks = frame
      frame = []
      filled = 0
      if (chunks.length > 0) await send({ type: 'chunks', chunks })
    }
    return {
      async add(chunk) {
        if (chunk.bytes.length > PART_BYTES) {
          await sendFrame()
          for (const part of cutUp({ of: 'chunk', id: idBytes(chunk.id), bytes: chunk.bytes })) await send(part)
          return
        }
        if (filled + chunk.bytes.length > FRAME_FILL_BYTES) await sendFrame()
        frame.push(chunk.bytes)
        filled += chunk.bytes.length + 8
      },
      send: sendFrame,
    }
  }

  const giveSnapshot = async (docTag: DocTag): Promise<void> => {
    const bytes = isInScope({ class: 'commit', docTag }) ? await store.getRecord(snapshotKey(docTag)) : undefined
    if (bytes === undefined) return send({ type: 'no-snapshot', tag: idBytes(docTag) })
    for (const part of cutUp({ of: 'snapshot', id: idBytes(docTag), bytes })) await send(part)
  }

  return { serve, giveSnapshot }
}

export function snapshotKey(docTag: DocTag): string {
  return `snapshot/${docTag}`
}
