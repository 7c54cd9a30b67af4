/**
 * WebRTC, with the optional package @libp2p/webrtc, which is why it has a subpath of its own: between two devices that know each other's
 * address (webrtc-direct), for `createNode({ transports: [webrtcDirect()] })`, listening on `/ip4/0.0.0.0/udp/0/webrtc-direct`; and between
 * two that are linked through a relay, for `createNode({ loadWebrtc: async () => webrtcThroughRelays() })`.
 *
 * libp2p's default configuration names public STUN servers; here there are none unless a person configured some.
 */
import './polyfills.ts'
import { webRTC, webRTCDirect } from '@libp2p/webrtc'
import type { TransportFactory } from './net-node.ts'

export interface WebrtcOptions {
  readonly iceServers?: readonly { readonly urls: string; readonly username?: string; readonly credential?: string }[]
}

export function webrtcDirect({ iceServers = [] }: WebrtcOptions = {}): TransportFactory {
  return webRTCDirect({ rtcConfiguration: { iceServers: iceServers.map(server => ({ ...server })) } }) as TransportFactory
}

export function webrtcThroughRelays({ iceServers = [] }: WebrtcOptions = {}): TransportFactory {
  return webRTC({ rtcConfiguration: { iceServers: iceServers.map(server => ({ ...server })) } }) as TransportFactory
}
