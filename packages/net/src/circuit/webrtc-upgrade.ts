/**
 * WebRTC between two devices that are linked through a relay: what the two say to find a way (SDP, ICE candidates) goes over that link, and
 * so is theirs alone; then the bytes go past the relay. The package takes 0.3 s and 20 MB to load, so it is loaded when the first relay is
 * linked; where it is not installed, devices stay with the circuit.
 */
import type { Connection, Transport } from '@libp2p/interface'
import type { Logger } from '@segue/core/ports'
import type { TransportFactory } from '../net-node.ts'
import { guardHandlers, type Components } from './circuit-client.ts'

/** Of @libp2p/webrtc. */
export const SIGNALING_PROTOCOL = '/webrtc-signaling/0.0.1'

export interface WebrtcUpgrade {
  /** Loads it, the first time. `onReady` is called if it can be used then. */
  prepare(onReady: () => void): void
  isReady(): boolean
  stop(): Promise<void>
}

export interface WebrtcUpgradeOptions {
  /** Undefined: it is not there. */
  readonly load: (() => Promise<TransportFactory | undefined>) | undefined
  readonly components: () => Components & { readonly transportManager: { add(transport: Transport): void } }
  /** Whether this connection's peer may ask for it. */
  readonly admits: (connection: Connection) => boolean
  readonly logger?: Logger | undefined
}

export function createWebrtcUpgrade({ load, components, admits, logger }: WebrtcUpgradeOptions): WebrtcUpgrade {
  let preparing: Promise<void> | undefined
  let transport: StartableTransport | undefined
  let isStopped = false

  const prepareNow = async (loading: () => Promise<TransportFactory | undefined>): Promise<void> => {
    const factory = await loading()
    if (factory === undefined || isStopped) return
    const parts = components()
    const made = factory(guardHandlers(parts, SIGNALING_PROTOCOL, admits) as never) as StartableTransport
    parts.transportManager.add(made)
    await made.start?.()
    transport = made
  }

  return {
    isReady: () => transport !== undefined,
    prepare(onReady) {
      if (preparing !== undefined || load === undefined) return
      preparing = prepareNow(load).then(
        () => (transport === undefined || isStopped ? undefined : onReady()),
        (error: unknown) => logger?.warn('webrtc-not-ready', { error: String(error) }),
      )
    },
    async stop() {
      isStopped = true
      await preparing
      await transport?.stop?.()
    },
  }
}

interface StartableTransport extends Transport {
  start?(): Promise<void>
  stop?(): Promise<void>
}
