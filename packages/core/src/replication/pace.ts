/** How much goes at once on a link, and how soon. */
import { KIB, MIB, SECOND_MS } from '../lib/units.ts'
import { MAX_HAVE_RECORDS, type SyncMessage } from '../wire/sync-messages.ts'

// What comes in one frame is parsed and looked up in one go, while whoever types waits: 10 to 20 us for each name, 10 for each chunk.
/** Names in one frame of a comparison; up to MAX_HAVE_RECORDS are taken. */
export const OFFERED_AT_ONCE = 256
/** Chunks that were asked for, in one frame. */
export const FRAME_FILL_BYTES: number = 128 * KIB
/** Chunks checked before others get their turn (turns.ts): 60 us each, or 300 with a signature; so few, and no longer than that. */
export const CHECKED_AT_ONCE = 64
/** So many are no bulk, and wait for nobody. */
export const FEW = 8

/** Not what a relay passes on of somebody's bulk. */
export function isLetter(message: SyncMessage): boolean {
  return message.type === 'chunks' && message.chunks.length <= FEW
}

/** Chunks written in one batch: it looks each of them up first. */
export const MAX_BATCH_ITEMS = 1_024
/** The same while somebody types: a task more, if it alone is larger. */
export const HURRIED_BATCH_ITEMS = 32
export const MAX_BATCH_BYTES: number = 8 * MIB

/** Below this a chunk goes out at once; above, it is announced and fetched on the bulk channel. */
export const MAX_PUSH_BYTES: number = 64 * KIB
export const LIVE_WINDOW_BYTES: number = 256 * KIB
export const MAX_FRESH_RECORDS: number = MAX_HAVE_RECORDS / 8
/** Requests of one peer that wait for the bulk channel; more, and it is closed as too slow. */
export const MAX_QUEUED_TASKS = 4_096
/** The same in bytes of the requests themselves: the sums of a million documents fit. */
export const MAX_QUEUED_BYTES: number = 64 * MIB
/** Announcements and receipts that a peer does not read; more, and it is closed as too slow. */
export const MAX_UNREAD_BYTES: number = 32 * MIB
/** Chunks that a peer has offered and not delivered; what it offers beyond is left to the next comparison. */
export const MAX_TAKEN_OFFERS = 131_072
/** Of those, so many in any case; each beyond takes of the room that links share. */
export const GUARANTEED_OFFERS = 4_096
export const OFFER_BYTES = 512
/** What a peer just stored is usually on its way from its maker as well: this long before it is asked for. */
export const FRESH_DELAY_MS = 30
/** More of these that wait or are looked up, and their bringer waits. */
export const MAX_FRESH_WAITING: number = 4 * MAX_HAVE_RECORDS
/** Quiet for this long after changes, and one side asks whether all arrived. */
export const QUIET_MS: number = 10 * SECOND_MS
/** While it is not quiet, it is looked that often at what has waited for a comparison since the last look. */
export const UNREST_MS: number = QUIET_MS / 2
/** A comparison in which nothing is under way for this long is asked about. */
export const STALL_MS: number = 15 * SECOND_MS
