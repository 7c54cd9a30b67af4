/**
 * Where to listen when nobody said: on every interface, on ports the system chose once. They are kept, because addresses that other
 * devices remember, and holes that people made in their firewalls, should last; when one is taken meanwhile, new ones are chosen.
 */
import { createServer } from 'node:net'
import { decodeCbor, encodeCbor } from '@segue/core'
import type { RecordStore } from '@segue/core/ports'
import * as v from 'valibot'

/** Undefined: let the node choose. */
export async function keptListenAddresses(records: RecordStore): Promise<readonly string[] | undefined> {
  const stored = await records.get(LISTEN_KEY)
  const kept = stored === undefined ? undefined : decodeCbor(LISTEN, stored, MAX_RECORD_BYTES)
  if (kept?.ok !== true) return undefined
  const { tcp, ws } = kept.value
  if (!(await isFree(tcp)) || !(await isFree(ws))) return undefined
  return [`/ip4/0.0.0.0/tcp/${tcp}`, `/ip4/0.0.0.0/tcp/${ws}/ws`]
}

/** Remembers the ports among the addresses that the node listens on now. */
export async function keepListenAddresses(records: RecordStore, addresses: readonly string[]): Promise<void> {
  const tcp = portIn(addresses, /^\/ip4\/[\d.]+\/tcp\/(\d+)(?!\/ws)(?:\/p2p\/|$)/)
  const ws = portIn(addresses, /^\/ip4\/[\d.]+\/tcp\/(\d+)\/ws/)
  if (tcp !== undefined && ws !== undefined) await records.write(new Map([[LISTEN_KEY, encodeCbor({ v: 1, tcp, ws })]]))
}

const LISTEN_KEY = 'device/listen'
const MAX_RECORD_BYTES = 256
const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535))
const LISTEN = v.object({ v: v.literal(1), tcp: port, ws: port })

function portIn(addresses: readonly string[], pattern: RegExp): number | undefined {
  const found = addresses.map(address => pattern.exec(address)?.[1]).find(text => text !== undefined)
  return found === undefined ? undefined : Number(found)
}

function isFree(candidate: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(candidate, '0.0.0.0', () => server.close(() => resolve(true)))
  })
}
