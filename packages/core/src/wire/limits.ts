/** Bounds that both ends of the wire keep. Sizes are checked before anything is parsed. */
import { KIB, MIB, SECOND_MS } from '../lib/units.ts'

/** One frame on any channel; a frame of chunks is filled up to this. */
export const MAX_FRAME_BYTES: number = MIB + 64 * KIB
/** A chunk over this travels and is stored as parts. */
export const PART_BYTES: number = 512 * KIB
/** The largest sealed chunk, whole. A 1 MiB text inserted at once is one change of about that size. */
export const MAX_CHUNK_BYTES: number = 8 * MIB
/** What a compressed change or bundle may expand to. 97 KB were seen to expand to 100 MB. */
export const MAX_INFLATED_BYTES: number = 64 * MIB
export const MAX_PAIRING_FRAME_BYTES: number = 256 * KIB
/** A claim, keep, heartbeat or queued offer, as it is signed. */
export const MAX_REGISTER_BYTES: number = 256 * KIB
export const MAX_ENTRY_BYTES: number = 64 * KIB
/** The entries of one membership proof, together. */
export const MAX_PROOF_BYTES: number = MIB
export const MAX_LOG_ENTRIES = 10_000
export const MAX_ACTIVE_DEVICES = 32
/** A text document; larger files are refused with that reason. */
export const MAX_TEXT_BYTES: number = MIB
/** Imports are inserted in pieces of this size, so that no change is as large as the file. */
export const IMPORT_PIECE_BYTES: number = 64 * KIB
export const MAX_HOT_SET_BYTES: number = 64 * KIB
/** A stranger's connection that opened nothing it may open is closed after this. */
export const STRANGER_DEADLINE_MS: number = 10 * SECOND_MS
/** A request to a relay or its answer; a member list of the largest group has 1.2 KiB. */
export const MAX_RELAY_FRAME_BYTES: number = 16 * KIB
/** Requests that a relay answers on one stream. */
export const MAX_RELAY_REQUESTS = 64
/** One message of a rendezvous, whole. */
export const MAX_RENDEZVOUS_FRAME_BYTES: number = 4 * KIB
/** A meeting place and a conversation there last so long at most. */
export const RENDEZVOUS_MS: number = 300 * SECOND_MS
/** Active devices and room for more in a later version; the recovery key beside them. */
export const MAX_MAILBOX_MEMBERS = 128
/** Relays that a group uses at one time. */
export const MAX_RELAYS = 8
/** Addresses of one relay, in an invite or in the group's log. */
export const MAX_RELAY_ADDRESSES = 8
