/**
 * What libp2p 3.3 takes for granted and Node 20 lacks: `Promise.withResolvers`, and `globalThis.WebSocket` for dialling /ws. Nothing
 * warns without them: a TCP dial ends in ECONNRESET. Imported before libp2p by every file that imports libp2p.
 */
import 'core-js/actual/promise/with-resolvers.js'
import { WebSocket } from 'ws'

const platform = globalThis as { WebSocket?: unknown }
platform.WebSocket ??= WebSocket
