/** What chunks of documents are named by (protocols.md: chunkId = HMAC(k_id, [class, documentId, contentKey])). */
import { labelledHash } from '../crypto/hash.ts'
import { fromHex, toHex } from '../lib/bytes.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { BundleContents } from '../ports/worker.ts'

/** `hash` is hex, from the commit's own bytes (`readCommit`). */
export function commitContentKey(hash: string): Uint8Array {
  return fromHex(hash)
}

/** From a *decoded* bundle only; what anybody says about one is not believed. */
export function fragmentContentKey(contents: BundleContents, hasher?: Hasher): Uint8Array {
  return labelledHash('fragment-key', [fromHex(contents.head), contents.level, contents.members.map(fromHex)], hasher)
}

/** The same as text, for `DocumentWorker.buildFragments`. */
export function fragmentKey(contents: BundleContents): string {
  return toHex(fragmentContentKey(contents))
}
