/** WebRTC where it is installed: @libp2p/webrtc is an optional package, because it is large and brings native code. */
import type { TransportFactory } from '@segue/net'

/** Undefined when the package is not there. */
export async function loadWebrtc(): Promise<TransportFactory | undefined> {
  try {
    const { webrtcThroughRelays } = await import('@segue/net/webrtc')
    return webrtcThroughRelays()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  }
}
