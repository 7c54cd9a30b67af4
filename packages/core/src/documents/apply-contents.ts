/**
 * Opened commits and bundles into an Automerge document. What cannot be applied is set aside, alone: the rest goes in and the
 * document survives (a change of a broken chain makes Automerge panic, catchably).
 */
import * as A from '@automerge/automerge'
import { concatBytes, toHex } from '../lib/bytes.ts'
import type { ChunkId } from '../lib/ids.ts'
import { readCommit } from './commit.ts'

export interface OpenedContent {
  readonly id: ChunkId
  readonly class: 'commit' | 'fragment'
  readonly bytes: Uint8Array
}

/**
 * Bundles first, then commits, each in one call: a batch costs what one change costs. The commits go through `applyChanges`,
 * which refuses what it cannot parse; `loadIncremental` would silently stop there, and gets only bundles, decoded before.
 *
 * A change may be well-formed and still lie (about its sequence number, or the number of its first operation): then the call fails half
 * way and the document it was made on may be of no use any more. `afresh` gives it anew; without it that failure is thrown.
 */
export function applyContents<T>(
  doc: A.Doc<T>,
  contents: readonly OpenedContent[],
  setAside: (content: OpenedContent, reason: unknown) => void,
  afresh?: () => A.Doc<T>,
): A.Doc<T> {
  if (contents.length === 0) return doc
  const heads = A.getHeads(doc)
  try {
    return applyAll(doc, contents)
  } catch (error) {
    const base = restored(doc, heads) ?? afresh?.()
    if (base === undefined) throw error
    return applyBisected(base, inCausalOrder(contents), setAside)
  }
}

function applyAll<T>(doc: A.Doc<T>, contents: readonly OpenedContent[]): A.Doc<T> {
  const bundles = contents.filter(content => content.class === 'fragment').map(content => content.bytes)
  const commits = contents.filter(content => content.class === 'commit').map(content => content.bytes)
  const bundled = bundles.length === 0 ? doc : A.loadIncremental(doc, concatBytes(...bundles))
  return commits.length === 0 ? bundled : A.applyChanges(bundled, commits)[0]
}

/** The document as it was at `heads`, as far as the failed call left it loadable. */
function restored<T>(doc: A.Doc<T>, heads: A.Heads): A.Doc<T> | undefined {
  try {
    const saved = A.load<T>(A.save(doc))
    // What waits in it for its dependencies may be the culprit.
    return isSame(A.getHeads(saved), heads) && A.getMissingDeps(saved, []).length === 0 ? saved : undefined
  } catch {
    return undefined // half of the failed call is in the way
  }
}

/** Bundles first, then every commit after those it depends on: so that what fails is blamed, and not what it was waiting for. */
function inCausalOrder(contents: readonly OpenedContent[]): readonly OpenedContent[] {
  const ordered = contents.filter(content => content.class === 'fragment')
  const waiting = new Map<string, OpenedContent>()
  for (const content of contents) if (content.class === 'commit') waiting.set(hashOf(content.bytes), content)
  const ahead = [...waiting.keys()].toReversed()
  const entered = new Set<string>()
  for (let hash = ahead.pop(); hash !== undefined; hash = ahead.pop()) {
    const content = waiting.get(hash)
    if (content === undefined) continue
    if (entered.has(hash)) {
      waiting.delete(hash)
      ordered.push(content)
    } else {
      entered.add(hash)
      ahead.push(hash, ...depsOf(content.bytes))
    }
  }
  return ordered
}

function hashOf(bytes: Uint8Array): string {
  const commit = readCommit(bytes)
  return commit.ok ? commit.value.hash : toHex(bytes)
}

function depsOf(bytes: Uint8Array): readonly string[] {
  const commit = readCommit(bytes)
  return commit.ok ? commit.value.deps : []
}

function isSame(a: A.Heads, b: A.Heads): boolean {
  return a.toSorted().join() === b.toSorted().join()
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
