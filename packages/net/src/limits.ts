/** Bounds and periods of the network part. What both ends must keep alike is in core's wire/limits.ts. */
import { KIB, MIB, MINUTE_MS, SECOND_MS } from '@segue/core/sealed'

/** Reconnect: full jitter below this, doubled up to the maximum, back to the start after a link that lasted. */
export const RECONNECT_FIRST_MS = 100
export const RECONNECT_MAX_MS: number = 30 * SECOND_MS
export const HEALTHY_AFTER_MS: number = 10 * SECOND_MS
/** One keepalive per link in this time, sent by the two sides in turn (I7). */
export const KEEPALIVE_MS: number = 30 * SECOND_MS
/** How much later than due the peer's keepalive may come before the link counts as dead. */
export const KEEPALIVE_GRACE_MS: number = 15 * SECOND_MS
/** How long a peer may take to answer a probe: on resume, and before its old link is given up for a new one. */
export const PROBE_MS: number = 3 * SECOND_MS
/** The same of a link whose peer seems to have started again: who is alive answers at once, and who is not keeps nobody waiting. */
export const TWICE_PROBE_MS: number = SECOND_MS
/** From the connection to the link: four streams and two hellos. */
export const LINK_DEADLINE_MS: number = 10 * SECOND_MS
export const DIAL_DEADLINE_MS: number = 8 * SECOND_MS
/** WebSocket and WebRTC addresses are tried when TCP has not answered after this. */
export const SECOND_CHOICE_MS = 300
/** How long the one who closes waits for the peer to read why. */
export const CLOSE_GRACE_MS: number = SECOND_MS
export const MAX_HELLO_BYTES: number = 4 * KIB
export const MAX_ADDRESSES = 16
/** Frames are written in pieces of this size, so that one of another channel gets in between. */
export const PIECE_BYTES: number = 32 * KIB
/** A reader whose frames are not taken stops reading the stream at this; the stream's window then holds the sender. */
export const MAX_UNREAD_BYTES: number = 64 * KIB
/**
 * A stream's window grows up to this from 256 KiB while the link is fast: 100 Mbit/s at 80 ms. yamux would let it grow to 16 MiB, and libp2p
 * breaks a stream of which 4 MiB wait to be read (yamux 8.0, libp2p 3.3).
 */
export const MAX_WINDOW_BYTES: number = MIB
/** Connections of strangers at one time, while pairing is open or for membership proofs. */
export const MAX_STRANGERS = 16
export const MAX_CONNECTIONS = 160
/** New connections from one address in a second; libp2p's own 5 is less than a group behind one NAT or one test makes. */
export const MAX_CONNECTIONS_PER_SECOND = 32
export const MAX_PENDING_CONNECTIONS = 64
/** Circuits to every other device of the largest group, and the streams of the link itself. */
export const MAX_STREAMS = 64
/** What mDNS said is forgotten when it has not been repeated for this. */
export const SIGHTING_MS: number = 5 * MINUTE_MS
export const MAX_SIGHTINGS = 256
/** Circuits, on the relay: what one device may move through all of its circuits, and at once. A keystroke costs about 1 KiB. */
export const CIRCUIT_BYTES_PER_SECOND: number = 512 * KIB
export const CIRCUIT_BURST_BYTES: number = 4 * MIB
/** Of one device at one time: twice the largest group. */
export const MAX_CIRCUITS = 64
/** From the request to the answer, the other end's included. */
export const CIRCUIT_DEADLINE_MS: number = 10 * SECOND_MS
/** On devices: a reservation that failed or was lost is made again with this back-off. */
export const RESERVE_FIRST_MS: number = SECOND_MS
export const RESERVE_MAX_MS: number = MINUTE_MS
/** Circuits are tried when nothing direct has answered after this. */
export const CIRCUIT_AFTER_MS = 1_500
/** A device that was not to be reached through relays is looked for there again after this, or when something changed. */
export const CIRCUIT_AGAIN_MS: number = MINUTE_MS
/** From a relayed link to a direct one: back-off of the attempts. */
export const CLIMB_FIRST_MS: number = 2 * SECOND_MS
export const CLIMB_MAX_MS: number = 5 * MINUTE_MS
