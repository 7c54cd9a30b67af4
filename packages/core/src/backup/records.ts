/** What stands inside the seal of a backup: records, cut into blocks anywhere. */
import { parseChunk } from '../crypto/seal.ts'
import { decodeCbor } from '../lib/codec.ts'
import { SegueError } from '../lib/errors.ts'
import { hexId, type GroupId } from '../lib/ids.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { ABOUT, END, MAX_RECORD_BYTES, RECORD_HEAD_BYTES, type RecordKind } from './format.ts'

export type BackupItem =
  /** First. */
  | {
      readonly kind: 'about'
      readonly group: GroupId
      readonly secret: Uint8Array
      /** Milliseconds since 1970 on the device that made it. Information only. */
      readonly time: number
      readonly device: string
    }
  /** All before the first chunk. */
  | { readonly kind: 'entry'; readonly bytes: Uint8Array }
  | { readonly kind: 'chunk'; readonly chunk: SealedChunk }

export interface Records {
  /** What the next block completes. */
  add(block: Uint8Array): Generator<BackupItem, void>
  assertWhole(): void
}

/** Keeps no more than one record that is not whole yet. */
export function createRecords(): Records {
  const head = new Uint8Array(RECORD_HEAD_BYTES)
  let headFilled = 0
  let current: { readonly kind: RecordKind; readonly body: Uint8Array; filled: number } | undefined
  let last: RecordKind | undefined
  const found = { entry: 0, chunk: 0 }

  const begin = (): void => {
    const kind = KINDS[head[0] as number]
    const length = new DataView(head.buffer).getUint32(1)
    if (kind === undefined || length > MAX_RECORD_BYTES[kind] || !MAY_FOLLOW[kind].includes(last)) throw damaged('record')
    current = { kind, body: new Uint8Array(length), filled: 0 }
    headFilled = 0
  }
  const end = (kind: RecordKind, body: Uint8Array): BackupItem | undefined => {
    last = kind
    switch (kind) {
      case 'about': {
        const about = decodeCbor(ABOUT, body, MAX_RECORD_BYTES.about)
        if (!about.ok) throw damaged('about')
        const { group, secret, time, device } = about.value
        return { kind, group: hexId<GroupId>(group), secret, time, device }
      }
      case 'entry':
        found.entry++
        return { kind, bytes: body }
      case 'chunk': {
        const chunk = parseChunk(body)
        if (!chunk.ok) throw damaged('chunk')
        found.chunk++
        return { kind, chunk: chunk.value }
      }
      case 'end': {
        const said = decodeCbor(END, body, MAX_RECORD_BYTES.end)
        if (!said.ok || said.value.entries !== found.entry || said.value.chunks !== found.chunk) throw damaged('end')
        return undefined
      }
    }
  }

  return {
    *add(block) {
      for (let from = 0; from < block.length;) {
        if (current === undefined) {
          const piece = block.subarray(from, from + RECORD_HEAD_BYTES - headFilled)
          head.set(piece, headFilled)
          headFilled += piece.length
          from += piece.length
          if (headFilled < RECORD_HEAD_BYTES) return
          begin()
        }
        const record = current as NonNullable<typeof current>
        const piece = block.subarray(from, from + record.body.length - record.filled)
        record.body.set(piece, record.filled)
        record.filled += piece.length
        from += piece.length
        if (record.filled < record.body.length) return
        current = undefined
        const item = end(record.kind, record.body)
        if (item !== undefined) yield item
      }
    },
    assertWhole() {
      if (last !== 'end' || headFilled > 0 || current !== undefined) throw damaged('end')
    },
  }
}

const KINDS: readonly (RecordKind | undefined)[] = [undefined, 'about', 'entry', 'chunk', 'end']

/** Which record each kind may come right after; `undefined`: at the start. */
const MAY_FOLLOW: Readonly<Record<RecordKind, readonly (RecordKind | undefined)[]>> = {
  about: [undefined],
  entry: ['about', 'entry'],
  chunk: ['entry', 'chunk'],
  end: ['entry', 'chunk'],
}

export function damaged(where: string): SegueError {
  return new SegueError('BACKUP_DAMAGED', { where })
}
