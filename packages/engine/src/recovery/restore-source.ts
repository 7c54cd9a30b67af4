/** Where a restore takes everything from: a backup, or a relay. */
import type { GroupId, Replica } from '@segue/core'
import type { ChunkStore, Inspector } from '@segue/core/ports'

export interface RestoreSource {
  /** `chunks`: of the fresh store; what is fetched on the way may lie there. */
  readLog(chunks: ChunkStore): Promise<RestoredLog>
  /** Puts everything but the log into the replica, each chunk inspected. */
  bring(into: Filling): Promise<Filled>
  close(): Promise<void>
}

export interface RestoredLog {
  readonly group: GroupId
  readonly secret: Uint8Array
  /** The signed entries of the group's log. */
  readonly entries: readonly Uint8Array[]
}

export interface Filling {
  readonly replica: Replica
  readonly chunks: ChunkStore
  readonly inspector: Inspector
  readonly signal: AbortSignal
  readonly onProgress: (progress: { readonly chunks: number; readonly of: number }) => void
}

export interface Filled {
  readonly chunks: number
  /** Not what they say they are, or sealed under a key that nobody gave the phrase: not kept. */
  readonly leftOut: number
  /** The source lets go of what every device has: what went before there was a phrase is not in it. */
  readonly mayLack: boolean
}
