/** What the network tells core: who may connect, and where the frames of each channel go. */
import type { CloseCode, DeviceId, TelemetryEvent } from '@segue/core'
import type { Clock, DeviceLink, DeviceLinkHandler, DeviceLinkHost, TelemetrySink } from '@segue/core/ports'
import type { Runtime } from './runtime.ts'

export interface LinkHostParts {
  readonly self: DeviceId
  readonly clock: Clock
  readonly telemetry: TelemetrySink<TelemetryEvent>
  /** A relay of the group. Without it: nobody is. */
  readonly isRelay?: (peer: DeviceId) => boolean
  /** Undefined while the device changes groups: nobody is a member of nothing. */
  readonly runtime: () => Runtime | undefined
  /** A member is on its way in. */
  readonly onComing?: () => void
  /** A link came up or went down. */
  readonly onSeen: (device: DeviceId) => void
}

export function createLinkHost({ self, clock, telemetry, isRelay, runtime, onComing, onSeen }: LinkHostParts): DeviceLinkHost {
  return {
    mayConnect(peer) {
      const may = peer !== self && (runtime()?.group.isActive(peer) === true || isRelay?.(peer) === true)
      if (may) onComing?.()
      return may
    },
    onLink(link: DeviceLink): DeviceLinkHandler {
      const current = runtime()
      if (current === undefined) throw new Error('broken promise: a link needs a group')
      const { group, replica, handoffs } = current
      const sync = replica.attach(link)
      if (!group.isActive(link.peer)) {
        telemetry.record({ type: 'relay-linked', relay: link.peer, path: link.path, time: clock.now() })
        return toReplicaOnly(sync, code => {
          telemetry.record({ type: 'relay-unlinked', relay: link.peer, reason: code, time: clock.now() })
        })
      }
      handoffs.onLink(link)
      telemetry.record({ type: 'device-linked', device: link.peer, path: link.path, time: clock.now() })
      onSeen(link.peer)
      return {
        onFrame(channel, frame) {
          switch (channel) {
            case 'sync-live':
            case 'sync-bulk':
              return sync.onFrame(channel, frame)
            case 'control':
              return handoffs.onFrame(link, frame)
            case 'ephemeral':
              return undefined // nothing speaks on it yet; what arrives there may always be dropped
          }
        },
        onClosed(code: CloseCode) {
          sync.onClosed(code)
          telemetry.record({ type: 'device-unlinked', device: link.peer, reason: code, time: clock.now() })
          onSeen(link.peer)
        },
      }
    },
  }
}

/** A relay of the group is a replica and nothing else: it has no say in handoffs, whatever it sends. */
function toReplicaOnly(sync: DeviceLinkHandler, onClosed: (code: CloseCode) => void): DeviceLinkHandler {
  return {
    onFrame: (channel, frame) => (channel === 'sync-live' || channel === 'sync-bulk' ? sync.onFrame(channel, frame) : undefined),
    onClosed(code) {
      sync.onClosed(code)
      onClosed(code)
    },
  }
}
