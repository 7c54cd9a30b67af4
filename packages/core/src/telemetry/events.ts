/**
 * What Segue says happened: a closed union, free of content by construction (ids, counts, sizes, durations, fixed words; no
 * names, no text, no paths). One trace id runs through a handoff on both devices.
 */
import type { DeviceId, HandoffId, SessionId, TraceId } from '../lib/ids.ts'

interface Stamp {
  /** Milliseconds since 1970 on this device. */
  readonly time: number
  readonly trace?: TraceId
}

export type TelemetryEvent = Stamp &
  (
    | { readonly type: 'device-linked'; readonly device: DeviceId; readonly path: string }
    | { readonly type: 'device-unlinked'; readonly device: DeviceId; readonly reason: string }
    | { readonly type: 'relay-linked'; readonly relay: DeviceId; readonly path: string }
    | { readonly type: 'relay-unlinked'; readonly relay: DeviceId; readonly reason: string }
    | { readonly type: 'relay-behind'; readonly relay: DeviceId; readonly kind: 'lost' | 'withholds' }
    | { readonly type: 'relay-whole'; readonly relay: DeviceId }
    | { readonly type: 'stranger-refused'; readonly device: DeviceId }
    | { readonly type: 'pairing-opened' }
    | { readonly type: 'pairing-wrong-code'; readonly triesLeft: number }
    | { readonly type: 'pairing-done'; readonly device: DeviceId }
    | { readonly type: 'chunk-refused'; readonly device: DeviceId; readonly reason: string }
    | { readonly type: 'store-failed' }
    | { readonly type: 'store-recovered' }
    | {
        readonly type: 'handoff-milestone'
        readonly handoff: HandoffId
        readonly session: SessionId
        readonly side: 'source' | 'target'
        readonly milestone: 'authentication' | 'transfer' | 'merge' | 'verification'
        readonly ms: number
      }
    | {
        readonly type: 'handoff-ended'
        readonly handoff: HandoffId
        readonly session: SessionId
        readonly side: 'source' | 'target'
        readonly outcome: string
        readonly bytes: number
        readonly ms: number
      }
    | {
        readonly type: 'merge-decided'
        readonly session: SessionId
        readonly conflicts: number
        readonly decision: 'suggested' | 'chosen' | 'automatic'
      }
    | { readonly type: 'reverted'; readonly session: SessionId; readonly documents: number }
  )
export type TelemetryEventType = TelemetryEvent['type']
