/** Where a restore takes everything from: a backup, or a relay. */
import type { GroupId } from '@segue/core'
import type { SealedChunk } from '@segue/core/ports'

export interface RestoreSource {
  readonly group: GroupId
  readonly secret: Uint8Array
  /** The signed entries of the group's log. */
  readonly entries: readonly Uint8Array[]
  /** Everything but the log. To be read once, to its end. */
  readonly chunks: AsyncIterable<SealedChunk>
  /** Of about how many `chunks` are. */
  readonly expected: number
  close(): Promise<void>
}
