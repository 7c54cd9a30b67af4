/**
 * Opened commits and bundles into an Automerge document. What cannot be applied is set aside, alone: the rest goes in and the
 * document survives (a change of a broken chain makes Automerge panic, catchably).
 */
import * as A from '@automerge/automerge'
import { concatBytes } from '../lib/bytes.ts'
import type { ChunkId } from '../lib/ids.ts'

export interface OpenedContent {
  readonly id: ChunkId
  readonly class: 'commit' | 'fragment'
  readonly bytes: Uint8Array
}

/**
 * Bundles first, then commits, each in one call: a batch costs what one change costs. The commits go through `applyChanges`,
 * which refuses what it cannot parse; `loadIncremental` would silently stop there, and gets only bundles, decoded before.
 */
export function applyContents<T>(
  doc: A.Doc<T>,
  contents: readonly OpenedContent[],
  setAside: (content: OpenedContent, reason: unknown) => void,
): A.Doc<T> {
  if (contents.length === 0) return doc
  try {
    return applyAll(doc, contents)
  } catch {
    // The failed call may have left half of itself behind, unseen by the JavaScript side, and its object unusable.
    return applyBisected(A.load<T>(A.save(doc)), contents, setAside)
  }
}

function applyAll<T>(doc: A.Doc<T>, contents: readonly OpenedContent[]): A.Doc<T> {
  const bundles = contents.filter(content => content.class === 'fragment').map(content => content.bytes)
  const commits = contents.filter(content => content.class === 'commit').map(content => content.bytes)
  const bundled = bundles.length === 0 ? doc : A.loadIncremental(doc, concatBytes(...bundles))
  return commits.length === 0 ? bundled : A.applyChanges(bundled, commits)[0]
}

/** Tries on copies, halving what fails until the culprits are alone. */
function applyBisected<T>(
  doc: A.Doc<T>,
  contents: readonly OpenedContent[],
  setAside: (content: OpenedContent, reason: unknown) => void,
): A.Doc<T> {
  try {
    return applyAll(A.clone(doc), contents)
  } catch (reason) {
    const [only] = contents
    if (only !== undefined && contents.length === 1) {
      setAside(only, reason)
      return doc
    }
    const middle = Math.ceil(contents.length / 2)
    return applyBisected(applyBisected(doc, contents.slice(0, middle), setAside), contents.slice(middle), setAside)
  }
}
