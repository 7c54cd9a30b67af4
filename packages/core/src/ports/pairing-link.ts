/**
 * The one stream a stranger may open while a pairing is open (`/segue/pair/1`): a few small frames either way, then closed.
 * The peer's key is proven by Noise but nobody vouches for it yet; that is what pairing is for.
 */
import type { DeviceId } from '../lib/ids.ts'

export interface PairingLink {
  readonly peer: DeviceId
  /** This device's own id, as the peer sees it. */
  readonly self: DeviceId
  send(frame: Uint8Array): Promise<void>
  /** The next frame, at most MAX_PAIRING_FRAME_BYTES; rejects when the stream ended or the signal aborts. */
  receive(options?: { readonly signal?: AbortSignal | undefined }): Promise<Uint8Array>
  close(): Promise<void>
}

/** A device nearby that has pairing open, as discovery saw it. The name is what it says of itself: not proven. */
export interface NearbyDevice {
  readonly id: DeviceId
  readonly name: string
  readonly addresses: readonly string[]
}
