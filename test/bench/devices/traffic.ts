/** Counts what Segue gives to its libp2p streams, by protocol. Noise, yamux and TCP come on top and are not ours. */
import { AbstractMessageStream } from '@libp2p/utils'

export interface Traffic {
  /** Bytes sent so far by protocols that begin so. */
  sent(prefix: string): number
}

/** From now on, in this process. */
export function countTraffic(): Traffic {
  const sent = new Map<string, number>()
  const { prototype } = AbstractMessageStream as unknown as { prototype: Sending }
  const { send } = prototype
  prototype.send = function count(this: Sending, data) {
    if (this.protocol !== undefined) sent.set(this.protocol, (sent.get(this.protocol) ?? 0) + data.byteLength)
    return send.call(this, data)
  }
  return {
    sent: prefix => [...sent].filter(([protocol]) => protocol.startsWith(prefix)).reduce((sum, [, bytes]) => sum + bytes, 0),
  }
}

interface Sending {
  readonly protocol?: string
  send(data: { readonly byteLength: number }): boolean
}
