/** What goes between the thread and its owner: plain values, a batch of jobs at a time. */
import type { BuiltFragment, KnownFragments, ReadBundle } from '@segue/core/ports'

export type Job =
  | { readonly kind: 'read-bundle'; readonly bundle: Uint8Array; readonly maxInflatedBytes: number }
  | { readonly kind: 'split-bundle'; readonly bundle: Uint8Array; readonly maxInflatedBytes: number }
  | { readonly kind: 'build-fragments'; readonly saved: Uint8Array; readonly known: KnownFragments }

export interface JobResults {
  readonly 'read-bundle': ReadBundle
  readonly 'split-bundle': readonly Uint8Array[]
  readonly 'build-fragments': readonly BuiltFragment[]
}

export type JobAnswer = { readonly ok: true; readonly value: JobResults[Job['kind']] } | { readonly ok: false; readonly reason: string }
