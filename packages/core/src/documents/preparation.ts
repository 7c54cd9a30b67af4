/**
 * Bundles are applied to a copy of the document while the worker checks them: both take about as long, and whoever waits for ten thousand
 * edits waits for one of the two only. The copy takes the document's place when all of them, and nothing else, turned out to be good, and the
 * document stands where it stood.
 */
import * as A from '@automerge/automerge'
import type { ChunkId } from '../lib/ids.ts'
import { concatBytes } from '../lib/bytes.ts'
import { KIB } from '../lib/units.ts'
import { MAX_INFLATED_BYTES } from '../wire/limits.ts'
import type { AnyDoc } from './any-doc.ts'
import type { OpenedContent } from './apply-contents.ts'
import { isSoundBundle } from './bundle.ts'

export interface Preparation {
  /** Of these it is not known yet whether they are good. */
  begin(present: AnyDoc, contents: readonly OpenedContent[]): void
  /** `present` with just these, if that was prepared. Whatever was is given up. */
  take(present: AnyDoc, contents: readonly OpenedContent[]): AnyDoc | undefined
  giveUp(): void
}

export function createPreparation(): Preparation {
  let prepared: { readonly from: string; readonly ids: ReadonlySet<ChunkId>; readonly doc: AnyDoc } | undefined
  const giveUp = (): void => {
    prepared = undefined
  }
  return {
    begin(present, contents) {
      const from = standOf(present)
      if (from === undefined || !contents.every(({ bytes }) => isSoundBundle(bytes, { maxInflatedBytes: MAX_INFLATED_BYTES })))
        return giveUp()
      const base = prepared?.from === from ? prepared : { ids: new Set<ChunkId>(), doc: undefined }
      const fresh = contents.filter(({ id }) => !base.ids.has(id))
      if (fresh.length === 0) return
      giveUp()
      if (base.doc === undefined && fresh.reduce((sum, { bytes }) => sum + bytes.length, 0) < MIN_BYTES) return
      try {
        const copy = base.doc ?? A.clone(present, { actor: A.getActorId(present) })
        const doc = A.loadIncremental(copy, concatBytes(...fresh.map(({ bytes }) => bytes)))
        prepared = { from, ids: new Set([...base.ids, ...fresh.map(({ id }) => id)]), doc }
      } catch {
        // one of them lies: the check, or applying them one by one, tells which
      }
    },
    take(present, contents) {
      const was = prepared
      giveUp()
      const isSame =
        was !== undefined &&
        was.from === standOf(present) &&
        contents.length === was.ids.size &&
        contents.every(({ id }) => was.ids.has(id))
      return isSame ? was.doc : undefined
    },
    giveUp,
  }
}

/** A copy takes a while too, of a long document some ten milliseconds. */
const MIN_BYTES: number = 4 * KIB

/** Undefined while something waits in it for its dependencies: that is part of no head. */
function standOf(doc: AnyDoc): string | undefined {
  return A.getMissingDeps(doc, []).length > 0 ? undefined : A.getHeads(doc).toSorted().join()
}
