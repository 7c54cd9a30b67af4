/**
 * Work too long for the thread that people type on: decoding fragment bundles, building fragments, saving snapshots.
 * Inputs and outputs are bytes and plain values. A job that crashes its worker rejects and the next one gets a fresh worker.
 */
export interface DocumentWorker {
  /** The change hashes that a fragment bundle holds, decoded under `maxInflatedBytes`; rejects when it is no bundle. */
  readBundle(bundle: Uint8Array, limits: { readonly maxInflatedBytes: number }): Promise<ReadBundle>
  /** From a document's `save()` bytes: the bundles worth making beside those there are. */
  buildFragments(saved: Uint8Array, known: KnownFragments): Promise<readonly BuiltFragment[]>
  /** The changes in a fragment bundle, each as its own bytes, in any order; rejects as `readBundle`. */
  splitBundle(bundle: Uint8Array, limits: { readonly maxInflatedBytes: number }): Promise<readonly Uint8Array[]>
  /** It will be needed soon: what takes long to start may start. */
  warmUp?(): void
  close(): Promise<void>
}
/** The fragments of a document that are held. */
export interface KnownFragments {
  /** As `fragmentKey` gives them. */
  readonly keys: readonly string[]
  /** Hex hashes: what those of level 0 contain. */
  readonly tails: readonly string[]
}
export interface BundleContents {
  /** Hex hash of the fragment's head. */
  readonly head: string
  /** Leading zero bytes of the head hash. */
  readonly level: number
  /** Hex hashes, sorted. The head is one of them. */
  readonly members: readonly string[]
}
export interface ReadBundle extends BundleContents {
  /** 32 bytes: what it is named by (`fragmentContentKey`). */
  readonly contentKey: Uint8Array
}
export interface BuiltFragment extends BundleContents {
  readonly bundle: Uint8Array
}
