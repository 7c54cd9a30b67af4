/**
 * WebRTC between two devices that know each other's address (webrtc-direct), for `createNode({ transports: [webrtcDirect()] })`. Needs
 * the optional package @libp2p/webrtc, which is why it has a subpath of its own. Listen on `/ip4/0.0.0.0/udp/0/webrtc-direct`.
 *
 * libp2p's default configuration names public STUN servers; here there are none unless a person configured some.
 */
import './polyfills.ts'
import { webRTCDirect } from '@libp2p/webrtc'
import type { TransportFactory } from './net-node.ts'

export interface WebrtcOptions {
  readonly iceServers?: readonly { readonly urls: string; readonly username?: string; readonly credential?: string }[]
}

export function webrtcDirect({ iceServers = [] }: WebrtcOptions = {}): TransportFactory {
  return webRTCDirect({ rtcConfiguration: { iceServers: iceServers.map(server => ({ ...server })) } }) as TransportFactory
}
