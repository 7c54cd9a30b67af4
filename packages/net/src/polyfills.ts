/**
 * What libp2p 3.3 takes for granted and Node 20 lacks: `Promise.withResolvers`, and `globalThis.WebSocket` for dialling /ws. Nothing
 * warns without them: a TCP dial ends in ECONNRESET. Imported before libp2p by every file that imports libp2p. Written out, because the
 * library for the first (core-js) is 120 files: a tenth of what a device takes to start.
 */
import { WebSocket } from 'ws'

const promises = Promise as { withResolvers?: unknown }
promises.withResolvers ??= function withResolvers(this: PromiseConstructor) {
  let resolve: unknown
  let reject: unknown
  const promise = new this((...settle) => ([resolve, reject] = settle))
  return { promise, resolve, reject }
}

const platform = globalThis as { WebSocket?: unknown }
platform.WebSocket ??= WebSocket
