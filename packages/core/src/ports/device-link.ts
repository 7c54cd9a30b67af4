/**
 * An authenticated connection to one other replica: `DeviceLink` is what core may ask of it, `DeviceLinkHost` what the network
 * tells core. The two face each other; neither knows the other's inside.
 *
 * Reliable or dead: frames of one channel arrive in order, whole, once; on any doubt the link closes and another is made.
 * Channels do not wait for each other: a keystroke on `sync-live` never stands behind a megabyte on `sync-bulk`.
 */
import type { CloseCode } from '../wire/close-codes.ts'
import type { Channel } from '../wire/channels.ts'
import type { DeviceId } from '../lib/ids.ts'

/** How a peer is reached now, best first. */
export type LinkPath = 'lan' | 'direct' | 'relayed'

export interface DeviceLink {
  /** Proven by Noise: nobody without this device's key can be here. */
  readonly peer: DeviceId
  readonly path: LinkPath
  /** True on the side that dialled. */
  readonly outbound: boolean
  /** Aborts when the link is dead, with a SegueError (LINK_CLOSED or the code the peer gave). */
  readonly closed: AbortSignal
  /**
   * Resolves when the channel has taken the frame (back-pressure: await it before the next), rejects when the link is dead.
   * A frame has at most MAX_FRAME_BYTES; more throws RangeError.
   */
  send(channel: Channel, frame: Uint8Array): Promise<void>
  /** Bytes handed to `send` of this channel and not yet taken. */
  pending(channel: Channel): number
  /** Tells the peer why, then closes. Idempotent. */
  close(code: CloseCode): Promise<void>
}

export interface DeviceLinkHost {
  /** The gate. Asked before anything of a connection is read; must be quick and must not throw. */
  mayConnect(peer: DeviceId): boolean
  /** A member's link is up. The returned handler hears everything that arrives on it. */
  onLink(link: DeviceLink): DeviceLinkHandler
}

export interface DeviceLinkHandler {
  /** One whole frame. The next of the same channel is delivered when the promise resolves; a rejection closes the link. */
  onFrame(channel: Channel, frame: Uint8Array): Promise<void> | void
  /** Once, last. */
  onClosed(code: CloseCode): void
}
